"""`resume run SCRIPT` beside `python SCRIPT`: output, errors and exit status are equal."""

from __future__ import annotations

import signal
import textwrap
import time
import zipfile
from pathlib import Path

import pytest
from scripts_to_run import SCRIPTS, UNMEASURED, Ended, assert_same, run, start, write


@pytest.mark.parametrize("what", SCRIPTS)
def test_a_script_behaves_as_under_python(what):
    """Whatever it looks at, and however it ends."""
    Path("script.py").write_text(textwrap.dedent(SCRIPTS[what]).lstrip("\n"))

    assert_same("script.py", "one", "--rate", "3", stdin=b"Ann\nsecond\nthird\nfourth\n")


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


@pytest.mark.parametrize("end", ["1 / 0", "sys.exit('text')", "raise KeyboardInterrupt", ""])
def test_both_streams_into_one_file_have_the_order_of_python(end):
    """What was printed is flushed before the traceback is shown, as a script's is."""
    write({"script.py": f"import sys\nprint('first')\nsys.stderr.write('second')\n{end}\n"})
    shown = []
    for words in (["script.py"], ["-m", "resume", "run", "script.py"]):
        with Path("both").open("wb") as file:
            process = start(*words, stdout=file, stderr=file, PYTHONUNBUFFERED="")
            process.wait(30)
        shown.append(Path("both").read_bytes())

    assert shown[0] == shown[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_it_as_one_ends_python(number):
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
        if len(words) > 1:  # it sleeps: the first waits for the next statement
            assert process.stderr is not None
            assert "saving at the next safe point" in process.stderr.readline().decode()
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
    plain = run("script.py", **UNMEASURED)
    ours = run(*command, "run", "script.py", **UNMEASURED)

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


FOLDER = {
    "app/__main__.py": """
        import sys, inner, traceback
        print(__name__, __file__, __package__, __spec__, sys.argv, sys.path[0])
        print(list(globals()), inner.total(4), inner.__file__)
        def fail(n):
            traceback.print_stack()
            return n / 0
        if len(sys.argv) > 2:
            fail(3)
        """,
    "app/inner.py": "def total(n):\n    return sum(i for i in range(n))\n",
}


@pytest.mark.parametrize("words", ["app", "app/", "./app x", "app x y", "."])
def test_a_folder_runs_its_main_file(words):
    """As `python FOLDER` does, with what it finds and shows."""
    write(FOLDER)
    if words == ".":
        write({name.removeprefix("app/"): text for name, text in FOLDER.items()})

    assert_same(*words.split())


@pytest.mark.parametrize("text", [None, "x = (\n"])
def test_a_folder_that_cannot_run_says_what_python_says(text):
    write({"app/other.py": ""} if text is None else {"app/__main__.py": text})

    assert_same("app", ways=1)


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
