"""`resume run SCRIPT` beside `python SCRIPT`: output, errors and exit status are equal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SCRIPTS = {
    "the names of the module": """
        import sys
        print(list(globals()), __name__, __spec__, __package__, __doc__, __file__)
        print(type(__loader__).__name__, __loader__.name, __loader__.path, __builtins__)
        print(sys.argv, sys.path[0], __annotations__ if sys.version_info < (3, 14) else None)
        print(sys.modules["__main__"].__dict__ is globals(), __import__("__main__").sys is sys)
        """,
    "a docstring and annotations": '''
        """What it does."""
        x: int = 3
        print(__doc__, __annotations__)
        ''',
    "flags": """
        import sys
        print(sys.flags, sys.executable, sys.dont_write_bytecode, sys.warnoptions)
        """,
    "nothing is below the module": """
        import inspect, sys, traceback
        def inner():
            traceback.print_stack(file=sys.stdout)
            print(len(inspect.stack()), sys._getframe().f_back.f_back)
        inner()
        try:
            sys._getframe(1)
        except ValueError as why:
            print(why)
        print(sys.exc_info(), [n for n in dir(sys) if n.startswith("last_")])
        """,
    "a traceback": """
        def f(n):
            return [g(n) for _ in range(2)]
        def g(n):
            return (n +
                    1 / n)
        for each in [1, 0]:
            print(f(each))
        """,
    "a traceback with notes, causes and groups": """
        def f():
            try:
                {}["a"]
            except KeyError as why:
                why.add_note("look here")
                raise ValueError("no") from why
        try:
            f()
        except ValueError as why:
            raise ExceptionGroup("all", [why, TypeError(1)])
        """,
    "an error that an iterator raises": """
        class Broken:
            def __iter__(self):
                raise OSError("no iterator")
        for each in Broken():
            print(each)
        """,
    "an error about what is no iterable": "for each in 5:\n    print(each)\n",
    "a syntax error": "x = 1\nfor y in (:\n    pass\n",
    "a syntax error that only the compiler sees": "print(1)\nreturn 5\n",
    "an error of indentation": "if 1:\nprint(1)\n",
    "null bytes": "print(1)\0\n",
    "an encoding that is none": "# coding: nonsense\nprint(1)\n",
    "exit without a word": "import sys\nprint(1)\nsys.exit()\n",
    "exit with a number": "import sys\nsys.exit(7)\n",
    "exit with a large number": "import sys\nsys.exit(256 + 3)\n",
    "exit with a text": "import sys\nprint('a')\nsys.exit('that is all')\n",
    "exit with an object": "raise SystemExit([1, 2])\n",
    "exit from a function": """
        import sys
        def main():
            try:
                return 3
            finally:
                print("done")
        if __name__ == "__main__":
            raise SystemExit(main())
        """,
    "os._exit": "import os\nprint(1, flush=True)\nos._exit(9)\n",
    "an interrupt": "print('a')\nraise KeyboardInterrupt\n",
    "an interrupt of another class": "class K(KeyboardInterrupt): pass\nraise K('x')\n",
    "a hook for exceptions": """
        import sys, traceback
        def hook(kind, value, trace):
            print("hook", kind, value, sys.exc_info())
            traceback.print_stack(file=sys.stdout)
            traceback.print_tb(trace, file=sys.stdout)
        sys.excepthook = hook
        1 / 0
        """,
    "a hook for exceptions that fails": """
        import sys
        def hook(kind, value, trace):
            raise ValueError("in the hook")
        sys.excepthook = hook
        1 / 0
        """,
    "a hook for exceptions that exits": """
        import sys
        def hook(kind, value, trace):
            sys.exit(5)
        sys.excepthook = hook
        1 / 0
        """,
    "no hook for exceptions": "import sys\ndel sys.excepthook\n1 / 0\n",
    "the last exception at exit": """
        import atexit, sys
        @atexit.register
        def look():
            print(sys.last_type, repr(sys.last_value), getattr(sys, "last_exc", "none"))
            print(sys.last_traceback.tb_frame.f_code.co_name, "__file__" in globals())
        1 / 0
        """,
    "exit handlers in their order": """
        import atexit
        atexit.register(print, "first in, last out")
        atexit.register(print, "last in, first out")
        class Last:
            def __del__(self):
                print("finalized")
        last = Last()
        print("end of the module")
        """,
    "threads that outlive the module": """
        import threading, time, atexit
        atexit.register(print, "after the thread")
        def work():
            time.sleep(0.2)
            print("thread", threading.active_count(), threading.current_thread().name)
        threading.Thread(target=work).start()
        print("end", [thread.name for thread in threading.enumerate()])
        """,
    "an error in a thread": """
        import threading
        def work():
            1 / 0
        thread = threading.Thread(target=work, name="worker")
        thread.start()
        thread.join()
        """,
    "output in the order of the two streams": """
        import os, sys
        print("to stdout")
        print("to stderr", file=sys.stderr)
        os.write(2, b"written\\n")
        1 / 0
        """,
    "stdin": """
        import sys
        print(input("name? "), sys.stdin.readline().strip())
        for line in sys.stdin:
            print(line.strip().upper())
        """,
    "warnings and where they stand": """
        import warnings
        def old(level):
            warnings.warn("old", DeprecationWarning, stacklevel=level)
        old(1)
        old(2)
        for _ in range(3):
            old(2)
        old(3)
        old(4)
        warnings.warn("mine", stacklevel=2)
        """,
    "warnings of the compiler": "print(1 is 1)\nx = '\\d'\nassert (x, 'never')\nprint(2)\n",
    "source of functions and classes": """
        import inspect
        class A:
            def f(self, xs):
                for x in xs:   # a comment
                    print(x)
        def g(): return [f(x) for x in range(3)]
        def f(x): return x
        print(inspect.getsource(A), inspect.getsource(A.f), inspect.getsource(g))
        print(inspect.getsourcelines(A.f), inspect.getfile(A), inspect.getmodule(A))
        print(inspect.signature(A.f), A.f.__code__.co_firstlineno, A.f.__code__.co_filename)
        """,
    "pickles of the module's classes": """
        import pickle, copy
        class A:
            def __init__(self, x): self.x = x
            def __repr__(self): return f"A({self.x})"
        def f(): return 5
        data = pickle.dumps([A(3), f, A])
        print(b"__main__" in data, pickle.loads(data)[0], pickle.loads(data)[1]())
        print(copy.deepcopy(A(4)), A.__module__, f.__qualname__)
        """,
    "names that are looked at": """
        def f(xs):
            for x in xs:
                with open(__file__) as file:
                    print(sorted(locals()), sorted(vars()), dir())
        f([1])
        print([name for name in dir() if not name.startswith("__")])
        print([name for name in globals() if name.startswith(".")])
        """,
    "generators, comprehensions and contexts": """
        from contextlib import contextmanager
        @contextmanager
        def managed(name):
            print("in", name)
            try:
                yield name
            finally:
                print("out", name)
        def numbers(n):
            for i in range(n):
                got = yield i
                if got: print("got", got)
        def total(n):
            return sum([next(g) + k for k, g in enumerate([numbers(n), numbers(n)])])
        with managed("a") as a, managed("b"):
            it = numbers(3)
            print(next(it), it.send("x"), list(it), total(4), {k: v for k, v in zip(a, numbers(1))})
        """,
    "recursion that is caught": """
        def down(n):
            try:
                return down(n + 1)
            except RecursionError:
                return "deep"
        print(down(0))
        """,
    "a subprocess": """
        import subprocess, sys
        words = [sys.executable, "-c", "print(6 * 7)"]
        print(subprocess.run(words, capture_output=True, text=True))
        """,
    "a fork": """
        import os, warnings
        def work(n):
            for i in range(n):
                print("child", i, flush=True)
            return 3
        child = os.fork()
        if child == 0:
            os._exit(work(2))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
    "a fork whose child ends as the script": """
        import os, sys
        print("before", flush=True)
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            print("parent")
        else:
            print("child")
            sys.exit(4)
        """,
    "processes by fork": """
        import multiprocessing as mp
        def square(x):
            for _ in range(2):
                x = x * x
            return x
        if __name__ == "__main__":
            with mp.get_context("fork").Pool(2) as pool:
                print(pool.map(square, range(5)))
        """,
    "processes by spawn": """
        import multiprocessing as mp, sys
        def square(x):
            return x * x, __name__
        print("module", __name__)
        if __name__ == "__main__":
            with mp.get_context("spawn").Pool(1) as pool:
                print(pool.map(square, range(3)))
        """,
    "processes by forkserver": """
        import multiprocessing as mp
        def square(x):
            return x * x, __name__
        if __name__ == "__main__":
            with mp.get_context("forkserver").Pool(1) as pool:
                print(pool.map(square, range(3)))
        """,
    "a pool of threads": """
        from concurrent.futures import ThreadPoolExecutor
        def work(n):
            return sum(i for i in range(n))
        with ThreadPoolExecutor(3) as pool:
            print(list(pool.map(work, range(9))))
        """,
    "a signal's handler": """
        import os, signal
        def handler(number, frame):
            print(number, frame.f_code.co_name, frame.f_lineno, frame.f_back)
        signal.signal(signal.SIGALRM, handler)
        signal.signal(signal.SIGUSR1, handler)
        os.kill(os.getpid(), signal.SIGUSR1)
        print([signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGPROF)])
        """,
    "a death by a signal": "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n",
    "its own file is missing afterwards": """
        import atexit
        atexit.register(lambda: print("__file__" in globals(), "__cached__" in globals()))
        """,
    "argparse": """
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("words", nargs="*")
        parser.add_argument("--rate", type=int)
        print(parser.parse_args())
        parser.error("that was wrong")
        """,
    "exec, eval and compile": """
        x = 5
        exec("for y in range(3): x += y")
        print(x, eval("x + y"), [eval("x", {"x": k}) for k in range(2)])
        exec(compile("print(__name__)", "other", "exec"))
        """,
    "doctest": '''
        import doctest
        def double(x):
            """
            >>> double(4)
            8
            >>> double(5)
            11
            """
            return 2 * x
        print(doctest.testmod())
        ''',
    "unittest": """
        import unittest
        class Case(unittest.TestCase):
            def test_a(self):
                for x in (1, 2):
                    with self.subTest(x=x):
                        self.assertEqual(x, 1)
        unittest.main(argv=["program"], exit=False)
        """,
    "dataclasses, enums and abstract classes": """
        from dataclasses import dataclass, field
        from enum import Enum, auto
        @dataclass(order=True)
        class Point:
            x: int
            y: list = field(default_factory=list)
        class Color(Enum):
            RED = auto()
            BLUE = auto()
        print(Point(1), Point(1) < Point(2), list(Color), Color.RED.name)
        """,
    "a tracer": """
        import sys
        def f():
            for x in range(2):
                y = x
            return y
        seen = []
        def trace(frame, event, arg):
            seen.append((event, frame.f_code.co_name, frame.f_lineno))
            return trace
        sys.settrace(trace)
        f()
        sys.settrace(None)
        print(sys.gettrace(), seen[0], seen[-1])
        """,
}


@dataclass(frozen=True)
class Ended:
    code: int
    stdout: bytes
    stderr: bytes = field(repr=False)


def environment(folder: Path, **more: str) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("RESUME_")}
    return env | {"XDG_CACHE_HOME": str(folder / ".cache"), "PYTHONHASHSEED": "7", **more}


def run(*words: str, stdin: bytes = b"", flags: tuple[str, ...] = (), **more: str) -> Ended:
    folder = Path.cwd()
    done = subprocess.run(
        [sys.executable, *flags, *words],
        input=stdin,
        capture_output=True,
        timeout=60,
        env=environment(folder, **more),
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def plainly(text: bytes) -> bytes:
    """Without the addresses of objects, and of processes."""
    return re.sub(rb"0x[0-9a-f]{6,}|in \d\.\d+s|pid=\d+", b"", text)


def assert_same(*words: str, ways: int = 2, **options) -> Ended:
    """Both ways; ours twice: from the source, and from what was kept of the first time."""
    plain = run(*words, **options)
    for _ in range(ways):
        ours = run("-m", "resume", "run", *words, **options)
        assert plainly(ours.stderr).decode() == plainly(plain.stderr).decode()
        assert plainly(ours.stdout).decode() == plainly(plain.stdout).decode()
        assert ours.code == plain.code
    return plain


@pytest.mark.parametrize("what", SCRIPTS)
def test_a_script_behaves_as_under_python(what):
    """Whatever it looks at, and however it ends."""
    Path("script.py").write_text(textwrap.dedent(SCRIPTS[what]).lstrip("\n"))

    assert_same("script.py", "one", "--rate", "3", stdin=b"Ann\nsecond\nthird\nfourth\n")


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))


PACKAGE = {
    "pkg/__init__.py": "from .low import LOW\nprint('package', __name__, __path__ is not None)\n",
    "pkg/low.py": """
        import warnings
        LOW = 3
        def total(n):
            warnings.warn("from below", stacklevel=2)
            return sum(each(i) for i in range(n))
        def each(i):
            for _ in range(2):
                i += LOW
            return i
        def fail(n):
            return [1 / k for k in range(n, -1, -1)]
        """,
    "pkg/tool.py": """
        import sys
        from . import low
        from .low import total
        print(__name__, __package__, __spec__.name, __file__, sys.argv, sys.path[0])
        print(total(4), low.__name__, low.__spec__.origin, type(low.__loader__).__name__)
        if __name__ == "__main__":
            low.fail(2)
        """,
    "pkg/__main__.py": "import sys\nfrom pkg import low\nprint(__name__, sys.argv, low.total(2))\n",
    "script.py": """
        import sys, pkg.tool, inspect
        from pkg import low
        import importlib.util
        print(inspect.getsource(low.each), low.each.__module__, low.__cached__ is not None)
        again = importlib.reload(low)
        print(again is low, low.total(3), importlib.util.find_spec("pkg.low").origin)
        low.fail(1)
        """,
}


@pytest.mark.parametrize(
    "words",
    [
        ("script.py",),
        ("-m", "pkg.tool", "one", "--rate"),
        ("-m", "pkg"),
        ("-m", "script"),
        ("-mpkg",),
    ],
    ids=" ".join,
)
def test_modules_and_packages_beside_the_script_behave_as_under_python(words):
    """Imports, relative ones too, reloads, warnings and tracebacks through several modules."""
    write(PACKAGE)
    run("script.py")  # the interpreter's own cache is there for all

    assert_same(*words)


def test_errors_in_modules_are_told_as_by_python():
    """A module that does not compile, that is missing, that fails, or that imports in a circle."""
    write(
        {
            "broken.py": "x = (1,\n",
            "failing.py": "def f():\n    raise LookupError('here')\nf()\n",
            "round.py": "import script2\nscript2.late\n",
            "script2.py": "import round\nlate = 1\n",
            "script.py": """
                import sys
                __import__(sys.argv[1])
                """,
        }
    )
    for name in ("broken", "missing", "failing", "round"):
        assert_same("script.py", name, ways=1)


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfprint('\xc3\xa4')\n1 / 0\n",
        b"# -*- coding: latin-1 -*-\nname = '\xe4\xf6'\nprint(ascii(name))\nx = name + 1\n",
        b"print('\xff')\n",
        b"print('no newline at the end')",
        b"x = 1\r\nif x:\r\n    print(x)\r\n    y = 1 / 0\r\n",
        b"",
    ],
    ids=["BOM", "cookie", "no utf-8", "no newline", "carriage returns", "empty"],
)
def test_sources_in_every_encoding(text):
    """The text is read as the interpreter reads it."""
    Path("script.py").write_bytes(text)

    assert_same("script.py", ways=1)


@pytest.mark.parametrize("way", ["./script.py", "sub/../script.py", "link.py", "sub/deep/link.py"])
def test_the_path_shows_as_it_does_under_python(way):
    """Relative, with dots, and through links: in `argv`, `__file__`, `sys.path` and tracebacks."""
    write({"script.py": "import sys\nprint(sys.argv, __file__, sys.path[0])\n1 / 0\n"})
    Path("sub/deep").mkdir(parents=True)
    Path("link.py").symlink_to("script.py")
    Path("sub/deep/link.py").symlink_to("../../script.py")

    assert_same(way, "x", ways=1)


@pytest.mark.parametrize("flag", ["-O", "-P", "-E", "-Werror", "-Xdev", "-B", "-u", "-s"])
def test_the_interpreters_flags_hold(flag):
    """Given to the interpreter that runs us, they mean what they mean."""
    write(
        {
            "script.py": """
            import sys, warnings
            print(sys.flags, sys.path[0] == sys.argv[1], __debug__, sys.warnoptions)
            assert sys.argv[1] == "", "told"
            warnings.warn("hm")
            """
        }
    )
    root = str(Path(__file__).resolve().parents[2])
    plain = run("script.py", str(Path.cwd()), flags=(flag,))
    # the flag may hide PYTHONPATH, and with -P the folder is not there either
    start = f"import sys; sys.path.insert(0, {root!r}); from resume.__main__ import main; main()"
    more = ("-c", start, "run", "script.py", str(Path.cwd()))
    ours = run(*more, flags=(flag,))
    if flag == "-P":  # `-c` puts an empty entry there, which we had to insert by hand
        plain = Ended(plain.code, ours.stdout, plain.stderr)

    assert (ours.stdout, ours.stderr, ours.code) == (plain.stdout, plain.stderr, plain.code)


def start(*words: str, **more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(Path.cwd(), **more),
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_as_it_ends_python(number):
    """The status tells the shell that Ctrl-C ended it; clean-up has run, in the same order."""
    write(
        {
            "script.py": """
            import atexit, time
            atexit.register(print, "at exit")
            def work():
                try:
                    print("ready", flush=True)
                    time.sleep(60)
                finally:
                    print("cleaned")
            work()
            """
        }
    )
    ends = []
    for words in (["script.py"], ["-m", "resume", "run", "script.py"]):
        process = start(*words)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.3)  # until it sleeps: the traceback shows where it was
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
        ends.append((process.returncode, stdout, stderr))

    assert ends[0] == ends[1]
    assert ends[0][0] == -number


def test_a_reader_that_goes_away_is_met_as_by_python():
    """The error of a closed pipe, while the program runs and when it ends."""
    write(
        {
            "script.py": """
            import sys
            for i in range(int(sys.argv[1])):
                print("line", i)
            """
        }
    )
    ends = []
    for count in ("5", "100000"):
        for words in (["script.py", count], ["-m", "resume", "run", "script.py", count]):
            process = start(*words, PYTHONUNBUFFERED="")
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            ends.append((process.stderr.read(), process.wait(30)))
            process.stderr.close()

    assert ends[0] == ends[1]
    assert ends[2] == ends[3]


@pytest.mark.parametrize("way", ["-m", "console script"])
def test_the_modules_of_the_program_win_over_ours(way):
    """A module beside the script is found, whatever we have imported under its name."""
    write(
        {
            "random.py": "def value():\n    return 'mine'\n",
            "dataclasses.py": "dataclass = 'mine, too'\n",
            "marshal.py": "raise ImportError('this one is in the interpreter')\n",
            "numpy.py": "array = 'mine as well'\n",
            "bin/resume": "from resume.__main__ import main\nmain()\n",
            "script.py": """
                import random, dataclasses, numpy, marshal
                print(random.value(), dataclasses.dataclass, numpy.array, random.__file__)
                """,
        }
    )
    command = ["-m", "resume"] if way == "-m" else ["bin/resume"]
    plain = run("script.py")
    ours = run(*command, "run", "script.py")

    assert plain.code == 0
    assert ours == plain


REWRITTEN = """
    import sys
    def names(module):
        codes = [value.__code__ for value in vars(module).values() if hasattr(value, "__code__")]
        return any(name[0] == "." for code in codes for name in code.co_varnames)
    def loop(xs):
        for x in xs:
            sys.intern(str(x))
    """


def test_what_lies_beside_the_script_is_rewritten_and_nothing_else():
    """Modules met later too; never an environment below the folder, or the standard library."""
    loop = "def loop(xs):\n    for x in xs:\n        print(x)\n"
    write(
        {
            "near.py": loop,
            "pkg/__init__.py": "",
            "pkg/inner.py": loop,
            "later_on.py": loop,
            "env/lib/site-packages/installed.py": loop,
            "script.py": REWRITTEN
            + """
    import near, pkg.inner, textwrap, importlib
    sys.path.append("env/lib/site-packages")
    import installed
    later = importlib.import_module("later" + "_on")
    for module in (sys.modules["__main__"], near, pkg.inner, later, installed, textwrap):
        print(module.__name__, names(module))
    """,
        }
    )
    shown = run("-m", "resume", "run", "script.py").stdout.decode().split("\n")

    assert shown[:-1] == [
        "__main__ True",
        "near True",
        "pkg.inner True",
        "later_on True",
        "installed False",
        "textwrap False",
    ]


def test_what_was_rewritten_is_kept_until_the_source_changes():
    """The second start imports no rewriter; a change of a module beside the script is seen."""
    write(
        {
            "near.py": "def value():\n    return [x for x in 'a']\n",
            "script.py": """
                import sys, near
                print(near.value(), "resume.rewrite" in sys.modules, "click" in sys.modules)
                print("numpy" in sys.modules, "ctypes" in sys.modules)
                """,
        }
    )
    words = ("-m", "resume", "run", "script.py")
    first, second = run(*words), run(*words)
    write({"near.py": "def value():\n    return [x + x for x in 'a']\n"})
    third, fourth = run(*words), run(*words)

    assert first.stdout == b"['a'] True False\nFalse False\n", first.stderr
    assert second.stdout == b"['a'] False False\nFalse False\n"
    assert third.stdout == b"['aa'] True False\nFalse False\n"
    assert fourth.stdout == b"['aa'] False False\nFalse False\n"


def test_what_others_can_write_is_not_run():
    """A kept file that is damaged, or that others may write, is made again."""
    write({"script.py": "import sys\nprint('resume.rewrite' in sys.modules)\n"})
    words = ("-m", "resume", "run", "script.py")
    run(*words)
    (kept,) = Path(".cache/resume/code").iterdir()

    kept.chmod(0o666)
    assert run(*words).stdout == b"True\n"
    kept.chmod(0o600)
    assert run(*words).stdout == b"False\n"
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-9] + b"damaged!!")
    assert run(*words).stdout == b"True\n"
    assert run(*words).stdout == b"False\n"


def test_it_runs_where_nothing_can_be_kept():
    """Without a place for the cache each start is a first one."""
    write({"script.py": "import sys\nprint('resume.rewrite' in sys.modules)\n", "file": ""})
    folder = str(Path.cwd() / "file" / "below")

    for _ in range(2):
        done = run("-m", "resume", "run", "script.py", XDG_CACHE_HOME=folder)
        assert (done.stdout, done.stderr) == (b"True\n", b"")


def test_the_hash_seed_is_pinned_where_it_is_not_set():
    """The command starts itself once more, and the program's children share the seed."""
    write(
        {
            "script.py": """
            import os, subprocess, sys
            show = "import os; print(os.environ['PYTHONHASHSEED'], hash('a'))"
            mine = f"{os.environ['PYTHONHASHSEED']} {hash('a')}"
            child = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True)
            print(mine == child.stdout.strip(), mine, sys.argv, sys.stdin.read())
            """
        }
    )
    words = ("-m", "resume", "run", "script.py", "a b", "-c")
    free = [run(*words, PYTHONHASHSEED=seed, stdin=b"text") for seed in ("random", "", "random")]
    fixed = [run(*words, PYTHONHASHSEED="11", stdin=b"text") for _ in range(2)]

    assert all(each.stdout.startswith(b"True") for each in (*free, *fixed))
    assert len({each.stdout for each in free}) == 3
    assert fixed[0].stdout == fixed[1].stdout
    assert b"True 11 " in fixed[0].stdout
    assert all(each.stdout.endswith(b"['script.py', 'a b', '-c'] text\n") for each in free)


REFUSED = {
    "missing.py": (2, "missing.py cannot be run: No such file or directory"),
    "folder": (10, "folder is a folder: run its main file"),
    "archive.pyz": (10, "holds no source"),
    "made.pyc": (10, "holds no source"),
    "waiting.py": (10, "waiting.py, line 3: an async script cannot be continued in the middle"),
    "-m json.tool": (10, "the module 'json.tool' does not lie in"),
    "-m nothing": (10, "the module 'nothing' does not lie in"),
    "-m": (2, "lacks the name of the module"),
    "-": (2, "name the script"),
    "--rate soon script.py": (2, "--rate='soon' is no duration"),
    "--keep 0 script.py": (2, "--keep cannot be '0'"),
    "--on-change adapt script.py": (2, "--on-change cannot be 'adapt'"),
    "--keep": (2, "--keep lacks its value"),
    "--quick script.py": (2, "knows no option --quick"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_run_is_refused_in_one_line_with_the_remedy(words):
    """Nothing was started; the exit code is the error's."""
    write(
        {
            "script.py": "print('ran')\n",
            "made.pyc": "",
            "folder/__main__.py": "print('ran')\n",
            "waiting.py": "import asyncio\nasync def main(): pass\nasyncio.run(main())\n",
        }
    )
    with zipfile.ZipFile("archive.pyz", "w") as archive:
        archive.writestr("__main__.py", "print('ran')")
    code, text = REFUSED[words]
    done = run("-m", "resume", "run", *words.split())

    assert done.code == code
    assert done.stdout == b""
    assert text in done.stderr.decode()
    assert done.stderr.startswith(b"resume: ")
    assert done.stderr.count(b"\n") == 1


def test_a_script_that_only_has_coroutines_runs():
    """What hands nothing over to an event loop is no async script."""
    write({"script.py": "async def f(): pass\ndef run(): return 1\nprint(run())\n"})

    assert_same("script.py")


def test_options_stand_before_the_script_and_help_is_shown():
    """What stands behind the script's name is the script's, also where it is an option of ours."""
    write({"script.py": "import sys\nprint(sys.argv)\n"})
    options = ("--rate", "5m", "--name=it", "--fresh", "--on-change", "restart", "--keep", "2")
    done = run("-m", "resume", "run", *options, "--dir", "x", "--", "script.py", "--fresh", "-h")
    shown = run("-m", "resume", "run", "--help")

    assert done.stdout == b"['script.py', '--fresh', '-h']\n", done.stderr
    assert shown.code == 0
    assert all(name in shown.stdout.decode() for name in ("--rate", "--on-change", "-m MODULE"))


def test_the_command_runs_scripts_from_the_groups_door_too():
    """`resume.cli.main(["run", ...])`, as another program may call it."""
    write({"script.py": "import sys\nprint(sys.argv)\n1 / 0\n"})
    call = "from resume.cli import main; main(['run', 'script.py', 'x'])"

    ours, plain = run("-c", call), run("script.py", "x")

    assert (ours.stdout, ours.stderr, ours.code) == (plain.stdout, plain.stderr, plain.code)


ARMED = """
import os, sys
from resume.script.command import run
from resume.script.options import NoSaving

class Recorder(NoSaving):
    points = 0
    def wait_s(self):
        return 0.001
    def begin(self, code, running):
        self.running, self.process = running, os.getpid()
        return code
    def at_point(self, frame):
        assert os.getpid() == self.process
        assert self.running.program().find(frame.f_code) is not None
        self.points += 1
        return self.points % 3 == 0
    def ended(self, raised):
        with open(os.environ["RECORD"], "w") as file:
            print(self.points, type(raised).__name__, dict(self.running.reasons()), file=file)

run(sys.argv[1:], Recorder)
"""


def run_armed(*words: str, **options) -> tuple[Ended, list[str]]:
    """Run with a save that is always due; also what `Recorder` wrote at the end."""
    record = Path.cwd() / ".record"
    record.unlink(missing_ok=True)
    done = run("-c", ARMED, *words, RECORD=str(record), **options)
    return done, record.read_text().split(maxsplit=2) if record.exists() else []


@pytest.mark.parametrize("what", SCRIPTS)
def test_a_script_behaves_the_same_while_saves_are_due(what):
    """The timer, its line events and the points change nothing that the script shows."""
    Path("script.py").write_text(textwrap.dedent(SCRIPTS[what]).lstrip("\n"))
    words, stdin = ("script.py", "one", "--rate", "3"), b"Ann\nsecond\nthird\nfourth\n"
    plain, (ours, _) = run(*words, stdin=stdin), run_armed(*words, stdin=stdin)

    assert plainly(ours.stderr).decode() == plainly(plain.stderr).decode()
    assert plainly(ours.stdout).decode() == plainly(plain.stdout).decode()
    assert ours.code == plain.code


LONG = """
    import pkg.work, sys, time
    def main(seconds):
        until = time.monotonic() + seconds
        total = 0
        while time.monotonic() < until:
            total += pkg.work.step(3)
        return total
    try:
        assert main(float(sys.argv[1])) > 0
    finally:
        print("done", flush=True)
    sys.exit(len(sys.argv))
    """
WORK = """
    def step(n):
        found = 0
        for i in range(n):
            for j in range(n):
                found += i + j
        return found
    """


def test_points_are_found_in_all_modules_from_the_second_start_on_too():
    """Code that was kept has its tables when a save is due; the end of the program is told."""
    write({"script.py": LONG, "pkg/__init__.py": "", "pkg/work.py": WORK})

    for _ in range(2):
        done, record = run_armed("script.py", "0.5")
        assert (done.stdout, done.stderr, done.code) == (b"done\n", b"", 2)
        assert int(record[0]) > 20
        assert record[1:] == ["SystemExit", "{}\n"]


def test_a_module_runs_with_a_timer_too():
    """`-m`: `runpy` stands below the program's frames, and the points are found above it."""
    write({"pkg/__init__.py": "", "pkg/work.py": WORK, "pkg/main.py": LONG})
    done, record = run_armed("-m", "pkg.main", "0.5")

    assert (done.stdout, done.stderr, done.code) == (b"done\n", b"", 2)
    assert int(record[0]) > 20


def test_an_interrupt_is_never_lost_while_saves_are_due():
    """Ctrl-C at any moment ends the program, with a traceback that shows only the program."""
    write({"script.py": LONG, "pkg/__init__.py": "", "pkg/work.py": WORK})
    for attempt in range(6):
        process = start("-c", ARMED, "script.py", "30", RECORD=str(Path.cwd() / ".record"))
        time.sleep(0.6 + attempt * 0.017)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=25)

        assert process.returncode == -signal.SIGINT, stderr
        assert stdout == b"done\n"
        assert stderr.endswith(b"KeyboardInterrupt\n")
        assert b"arm.py" not in stderr
        assert b"lines.py" not in stderr
