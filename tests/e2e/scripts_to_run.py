"""Scripts, each for one thing that a program can see; and both ways to run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    "stdin as it looks": """
        import io, sys
        pipe = sys.stdin.buffer.raw
        print(sys.stdin, sys.stdin.buffer, pipe, sys.stdin is sys.__stdin__, sys.stdin.mode)
        print(type(sys.stdin), type(sys.stdin.buffer), sys.stdin.seekable(), sys.stdin.readable())
        print(sys.stdin.fileno(), sys.stdin.isatty(), sys.stdin.newlines, pipe.closefd, pipe.name)
        for act in (sys.stdin.tell, sys.stdin.buffer.tell, lambda: sys.stdin.seek(0)):
            try:
                act()
            except OSError as why:
                print("no seek")
        print(len(sys.stdin.buffer.peek()), [sys.stdin.read(3), next(sys.stdin)], input())
        print(sys.stdin.readlines(), sys.stdin.buffer.read(), sys.stdin.read())
        sys.stdin.close()
        print(sys.stdin.closed, pipe.closed)
        try:
            input()
        except ValueError as why:
            print(why)
        """,
    "exit handlers that are wrong": """
        import atexit
        print(atexit.register.__name__, atexit.register.__module__, atexit.register.__doc__)
        print(atexit.register(len) is len)
        atexit.unregister(len)
        for words in ((), (5,)):
            try:
                atexit.register(*words)
            except TypeError as why:
                print(why, why.__traceback__.tb_next)
        @atexit.register
        def bad():
            1 / 0
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
        before = signal.signal(signal.SIGTERM, handler)
        print(before, signal.getsignal(signal.SIGTERM) is handler)
        os.kill(os.getpid(), signal.SIGTERM)
        print(signal.signal(signal.SIGTERM, before) is handler, signal.getsignal(signal.SIGTERM))
        try:
            signal.signal(999, handler)
        except ValueError as why:
            print(why)
        """,
    "a death by a signal": "import os, signal\nos.kill(os.getpid(), signal.SIGALRM)\n",
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


UNMEASURED = {"UNMEASURED": "1"}
"""For programs whose trace function must be free, or that hide libraries of coverage."""


def environment(folder: Path, **more: str) -> dict[str, str]:
    left_out = ("RESUME_", "COV") if more.pop("UNMEASURED", "") else ("RESUME_",)
    env = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
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


def start(
    *words: str, stdout: Any = subprocess.PIPE, stderr: Any = subprocess.PIPE, **more: str
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *words],
        stdout=stdout,
        stderr=stderr,
        env=environment(Path.cwd(), **more),
    )


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
