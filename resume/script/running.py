"""A script or a module as `__main__`, with all that it finds there, in place of our own program."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.machinery import FrozenImporter, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any, NoReturn

from resume.errors import ConfigError, UnsupportedCodeError
from resume.interpreter import unseen
from resume.reentry.arm import Alarm
from resume.script.launch import launch
from resume.script.modules import Modules
from resume.script.options import Saving
from resume.script.reach import Source, file_of, is_beside
from resume.script.rewriting import Rewriting, read_source


def run_script(path: str, argv: Sequence[str], saving: Saving) -> NoReturn:
    """Run the file *path* as `__main__`, in place of the program that calls this.

    Of a folder it is the `__main__.py` in it.

    Args:
        path: As it was typed.
        argv: What the script finds behind its name in `sys.argv`.
        saving: Saves the state, and brings it back.

    Raises:
        ConfigError: There is no such file.
        UnsupportedCodeError: It has no source, cannot be rewritten, or is async; it did not start.
    """
    full = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)  # noqa: PTH109, PTH117, PTH118
    if os.path.isdir(full):  # noqa: PTH112
        _run_folder(path, os.getcwd() if path == "." else full, argv, saving)  # noqa: PTH109
    source = Source("__main__", full, _text_of(path, full))
    folder = os.path.dirname(os.path.realpath(full))  # noqa: PTH120
    rewriting = Rewriting(full, folder, saving.helpers())
    try:
        rewriting.reach(source)
        if rewriting.speaks(source):
            compile(source.data, full, "exec", dont_inherit=True)  # says what it would say
    except (SyntaxError, ValueError):
        _run_plainly([path, *argv])  # the interpreter knows best how to tell
    _prepare_beside(folder, saving)
    sys.argv = [path, *argv]
    launch(_Script(Modules(rewriting), saving, source))


def _run_folder(path: str, full: str, argv: Sequence[str], saving: Saving) -> NoReturn:
    file = os.path.join(full, "__main__.py")  # noqa: PTH118
    folder = os.path.realpath(full)
    rewriting = Rewriting(file, folder, saving.helpers())
    try:
        rewriting.reach(read_source("__main__", file))
    except (OSError, SyntaxError, ValueError):
        _run_plainly([path, *argv])
    _prepare_beside(folder, saving)
    sys.argv = [path, *argv]
    launch(_Folder(Modules(rewriting), saving, full))


def run_module(name: str, argv: Sequence[str], saving: Saving) -> NoReturn:
    """Run the module *name* as `python -m` does, in place of the program that calls this.

    Args:
        name: Of a module, or of a package that has a `__main__`.
        argv: What it finds behind its name in `sys.argv`.
        saving: Saves the state, and brings it back.

    Raises:
        UnsupportedCodeError: It has no source that could be rewritten; it did not start.
    """
    folder = os.path.realpath(os.getcwd())  # noqa: PTH109
    path, name_of_main = file_of(name, folder), name
    if path is None or os.path.basename(path) == "__init__.py":  # noqa: PTH119
        name_of_main = f"{name}.__main__"  # of a package, which needs no __init__
        path = file_of(name_of_main, folder)
    if path is None or not is_beside(path, folder):
        raise UnsupportedCodeError(
            f"the module {name!r} does not lie in {folder}: only a program's own modules are "
            f"rewritten, never installed ones. Go to the folder that holds it, or run it with "
            f"`{os.path.basename(sys.executable)} -m {name}`"  # noqa: PTH119
        )
    source = read_source(name_of_main, path)
    rewriting = Rewriting(f"-m {path}", folder, saving.helpers())
    try:
        rewriting.reach(source)
    except (SyntaxError, ValueError):
        _run_plainly(["-m", name, *argv])
    _prepare_beside(folder, saving)
    sys.argv = ["-m", *argv]
    launch(_Module(Modules(rewriting), saving, name))


def _text_of(path: str, full: str) -> bytes:
    shown = os.path.basename(sys.executable)  # noqa: PTH119
    try:
        data = read_source("__main__", full).data
    except OSError as why:
        raise ConfigError(f"{path} cannot be run: {why.strerror or why}") from why
    if data[:4] == b"PK\x03\x04" or full.endswith(".pyc"):
        raise UnsupportedCodeError(
            f"{path} holds no source that could be rewritten, so nothing in it could be continued. "
            f"Run the .py file that it was made of, or this one with `{shown} {path}`"
        )
    return data


def _run_plainly(words: Sequence[str]) -> NoReturn:
    from subprocess import _args_from_interpreter_flags  # type: ignore[attr-defined] # noqa: PLC0415

    command = [sys.executable, *_args_from_interpreter_flags(), *words]
    os.execv(sys.executable, command)  # noqa: S606


class _Start:
    """What scripts and modules have in common."""

    flushes = False

    def __init__(self, modules: Modules, saving: Saving) -> None:
        self._modules, self._saving = modules, saving
        self._process = os.getpid()
        self._alarm = Alarm(
            modules.program,
            saving.at_point,
            saving.wait_s,
            make_ready=saving.make_ready,
            poll_s=saving.poll_s,
        )
        self.program, self.ask = modules.program, self._alarm.ask
        self.sources = modules.sources

    def define_only(self, code_of: Callable[[str], CodeType] | None) -> None:
        """See `Running.define_only`."""
        self._modules.only = code_of

    def reasons(self) -> Mapping[str, int]:
        """Why attempts to save ended early."""
        return self._alarm.reasons

    def _main(self, folder: str) -> dict[str, Any]:
        """Make room for the program: a new `__main__`, its folder, its imports."""
        main = ModuleType("__main__")
        names = vars(main)
        if sys.version_info < (3, 14):
            names["__annotations__"] = {}
        names["__builtins__"] = sys.modules["builtins"]
        _forget_modules_beside(folder)
        sys.modules["__main__"] = main
        if not sys.flags.safe_path:
            sys.path[0] = folder
        self._modules.install()
        return names

    def _watched(self, code: CodeType) -> CodeType:
        """Return what runs in place of *code*, and wait for the first save from now on."""
        code = self._saving.begin(code, self)
        if self._saving.wait_s() is not None:
            self._alarm.start()
        return code

    def end(self, raised: BaseException | None) -> None:
        """Tell whoever saves; a child of a fork is none of its business."""
        self._alarm.stop()
        if os.getpid() == self._process:
            self._saving.ended(raised)

    def leave(self) -> None:
        """Keep nothing of the program alive: the interpreter ends it now."""
        self._modules.forget()


class _Script(_Start):
    """`python SCRIPT`."""

    flushes = True

    def __init__(self, modules: Modules, saving: Saving, source: Source) -> None:
        super().__init__(modules, saving)
        self._source = source

    def begin(self) -> Callable[[], Any]:
        """Make `__main__` as `python SCRIPT` has it."""
        path = self._source.path
        self._names = names = self._main(os.path.dirname(os.path.realpath(path)))  # noqa: PTH120
        names["__loader__"] = SourceFileLoader("__main__", path)
        names["__file__"], names["__cached__"] = path, None
        code = self._modules.take("__main__", self._source, names)
        assert code is not None
        return partial(exec, self._watched(code), names)

    def leave(self) -> None:
        """What exit handlers and threads do not find any more."""
        names, self._names = self._names, {}
        for name in ("__file__", "__cached__"):
            names.pop(name, None)
        super().leave()


class _Module(_Start):
    """`python -m MODULE`; `runpy` does it, whose frames are seen in the plain run, too."""

    def __init__(self, modules: Modules, saving: Saving, name: str) -> None:
        super().__init__(modules, saving)
        self._name = name

    def begin(self) -> Callable[[], Any]:
        """Let `runpy` find the module, and put our code in place of its."""
        return self._found_by("_get_module_details", os.getcwd(), self._name)  # noqa: PTH109

    def _found_by(self, finder: str, folder: str, *words: Any) -> Callable[[], Any]:
        names = self._main(folder)
        names["__loader__"] = sys.modules["builtins"].__loader__
        self._finder, self._find = finder, getattr(runpy, finder)
        setattr(runpy, finder, partial(_find_main, self))
        return partial(runpy._run_module_as_main, *words)  # type: ignore[attr-defined]  # noqa: SLF001

    def find_no_more(self) -> Any:
        """Give `runpy` its function back."""
        setattr(runpy, self._finder, self._find)
        return self._find

    def replaced(self, found: Any) -> Any:
        """Put the rewritten code in place of the plain one."""
        name, spec, plain = found
        names = vars(sys.modules["__main__"])
        names["__spec__"], names["__package__"] = spec, spec.parent  # as `runpy` will, later
        code = self._modules.code_of_main(spec, names)
        return name, spec, plain if code is None else self._watched(code)


class _Folder(_Module):
    """`python FOLDER`; `runpy` does that, too."""

    def begin(self) -> Callable[[], Any]:
        """Let `runpy` find `__main__` in the folder, and put our code in place of its."""
        return self._found_by("_get_main_module_details", self._name, "__main__", False)


@unseen
def _find_main(start, *words):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN002, ANN202 # pragma: no cover
    return start.replaced(start.find_no_more()(*words))


def _names_beside(folder: str) -> set[str]:
    """Names of libraries that the program's own files hide."""
    try:
        beside = {name.partition(".")[0] for name in os.listdir(folder)}  # noqa: PTH208
    except OSError:
        return set()
    hidden = beside & {*sys.stdlib_module_names, *sys.modules}
    return {
        name
        for name in hidden - {*sys.builtin_module_names, "resume", "encodings"}
        if FrozenImporter.find_spec(name) is None and _is_found_in(name, folder)
    }


def _is_found_in(name: str, folder: str) -> bool:
    spec = PathFinder.find_spec(name, [folder])
    return spec is not None and spec.loader is not None


def _prepare_beside(folder: str, saving: Saving) -> None:
    """Import what is imported late else, where the program's folder would answer for it."""
    if not _names_beside(folder):
        return
    for name in ("frames.pending", "frames.ending", "reentry.lines", "reentry.program", "rewrite"):
        import_module(f"resume.{name}")
    saving.prepare()


def _forget_modules_beside(folder: str) -> None:
    """Let the program find its own modules where we have imported others of their names."""
    for name in _names_beside(folder) & sys.modules.keys():
        for each in [each for each in sys.modules if each.partition(".")[0] == name]:
            del sys.modules[each]
