"""The functions by which a program changes files, each with a look at the file before.

Goal: somebody is told before a file is written over, added to, made, renamed or removed, wherever
the program does it: in its own code, in pathlib, in a library.

What does not work: an audit hook sees all of it, and every `id()` and `sys._getframe()` as well, at
0.4 us each: `copy.deepcopy` takes twice as long.

What is done: `open` and what changes files in `os` are replaced by callables that tell first. They
look like what they stand for, can be pickled by name, and leave no frame in a traceback.

What can still go wrong: code in C that opens files by itself (HDF5, sqlite3, `torch.save`), other
processes, `io.FileIO`, names relative to an open folder (`dir_fd=`, `shutil.rmtree`), folders that
are renamed, and who has taken one of the functions by name before the program began.
"""

from __future__ import annotations

import builtins
import io
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from resume.interpreter import namespace_of_caller, unseen


class Listener(Protocol):
    """Is told what the program is about to do to a file; it must not raise."""

    def before_append(self, path: str) -> None:
        """It is added to at the end, or made."""

    def before_change(self, path: str) -> None:
        """It is written over, or made."""

    def before_removal(self, path: str) -> None:
        """It loses its name."""

    def before_move(self, path: str) -> None:
        """It gets another name, under which it goes on."""

    def before_folder(self, path: str) -> None:
        """A folder is made or removed."""


Given = tuple[Any, ...]
Named = Mapping[str, Any]
Tell = Callable[[Listener, Given, Named], None]
_caller: Callable[[], Named] = namespace_of_caller  # which is untyped, as all that is unseen
_listener: Listener | None = None
_process = 0
_local = threading.local()


class FileHook:
    """One of the functions; for all who look it is that function."""

    def __init__(self, real: Any, home: str, tell: Tell) -> None:
        self._real, self._tell = real, tell
        names = ("__name__", "__qualname__", "__doc__", "__self__", "__text_signature__")
        self.__dict__.update({name: getattr(real, name) for name in names}, __module__=home)

    def __repr__(self) -> str:
        return repr(self._real)

    def __reduce__(self) -> str:
        return self._real.__name__  # type: ignore[no-any-return]

    @property  # type: ignore[misc] # what `isinstance` asks for
    def __class__(self) -> Any:
        return type(self._real)

    @property
    def __signature__(self) -> Any:
        import inspect  # noqa: PLC0415 - each start of a script waits for what is imported here

        return inspect.signature(self._real)

    @unseen
    def __call__(self, /, *given: Any, **named: Any) -> Any:  # pragma: no cover - it is not seen
        """Tell, and do it."""
        if _listener is not None:
            _look(self._tell, given, named, _caller())
        return self._real(*given, **named)


def _look(tell: Tell, given: Given, named: Named, caller: Named) -> None:
    listener = _listener
    if listener is None or os.getpid() != _process or getattr(_local, "is_inside", False):
        return
    if str(caller.get("__name__")).startswith("resume."):
        return  # files of ours
    _local.is_inside = True  # a listener opens files itself
    try:
        tell(listener, given, named)
    finally:
        _local.is_inside = False


# -- what each function is about to do


def _tell_open(listener: Listener, given: Given, named: Named) -> None:
    mode = given[1] if len(given) > 1 else named.get("mode", "r")
    path = _path(given[0] if given else named.get("file"))
    if path is None or not isinstance(mode, str) or not set(mode) & set("awx+"):
        return
    if "a" in mode:
        listener.before_append(path)
    else:
        listener.before_change(path)


def _tell_os_open(listener: Listener, given: Given, named: Named) -> None:
    flags = given[1] if len(given) > 1 else named.get("flags", 0)
    path = _path(given[0] if given else named.get("path"))
    if path is None or not isinstance(flags, int) or not _is_beside(path, named, "dir_fd"):
        return
    if flags & os.O_APPEND and not flags & os.O_TRUNC:
        listener.before_append(path)
    elif flags & (os.O_WRONLY | os.O_RDWR | os.O_TRUNC | os.O_CREAT):
        listener.before_change(path)


def _tell_rename(listener: Listener, given: Given, named: Named) -> None:
    source = _path(given[0] if given else named.get("src"))
    target = _path(given[1] if len(given) > 1 else named.get("dst"))
    if target is not None and _is_beside(target, named, "dst_dir_fd"):
        listener.before_removal(target)
    if source is not None and _is_beside(source, named, "src_dir_fd"):
        listener.before_move(source)


def _tell_link(listener: Listener, given: Given, named: Named) -> None:
    target = _path(given[1] if len(given) > 1 else named.get("dst"))
    if target is not None and _is_beside(target, named, "dst_dir_fd", "dir_fd"):
        listener.before_removal(target)  # of nothing: it is made


def _tell_removal(listener: Listener, given: Given, named: Named) -> None:
    path = _path(given[0] if given else named.get("path"))
    if path is not None and _is_beside(path, named, "dir_fd"):
        listener.before_removal(path)


def _tell_truncate(listener: Listener, given: Given, named: Named) -> None:
    path = _path(given[0] if given else named.get("path"))
    if path is not None:
        listener.before_change(path)


def _tell_folder(listener: Listener, given: Given, named: Named) -> None:
    path = _path(given[0] if given else named.get("path"))
    if path is not None and _is_beside(path, named, "dir_fd"):
        listener.before_folder(path)


def _path(given: Any) -> str | None:
    """The path; None: it is no path (a descriptor), or the real function is to refuse it."""
    if type(given) is str:
        return given
    if not isinstance(given, str | bytes | os.PathLike):
        return None
    try:
        return os.fsdecode(given)
    except Exception:  # noqa: BLE001 - the path's own code: the real function raises it again
        return None


def _is_beside(path: str, named: Named, *folders: str) -> bool:
    return all(named.get(folder) is None for folder in folders) or os.path.isabs(path)  # noqa: PTH117


# -- putting them in place

_HOOKS: tuple[tuple[Any, str, FileHook], ...] = ()


def _made() -> tuple[tuple[Any, str, FileHook], ...]:
    opening = FileHook(io.open, "io", _tell_open)
    return (
        (builtins, "open", opening),
        (io, "open", opening),
        (os, "open", FileHook(os.open, "os", _tell_os_open)),
        (os, "rename", FileHook(os.rename, "os", _tell_rename)),
        (os, "replace", FileHook(os.replace, "os", _tell_rename)),
        (os, "remove", FileHook(os.remove, "os", _tell_removal)),
        (os, "unlink", FileHook(os.unlink, "os", _tell_removal)),
        (os, "link", FileHook(os.link, "os", _tell_link)),
        (os, "symlink", FileHook(os.symlink, "os", _tell_link)),
        (os, "truncate", FileHook(os.truncate, "os", _tell_truncate)),
        (os, "mkdir", FileHook(os.mkdir, "os", _tell_folder)),
        (os, "rmdir", FileHook(os.rmdir, "os", _tell_folder)),
    )


def install() -> None:
    """Put the hooks in place of the functions; nobody is told yet."""
    global _HOOKS  # noqa: PLW0603 - the functions are the process's, too
    if not _HOOKS:
        _HOOKS = _made()
        for home, name, hook in _HOOKS:
            setattr(home, name, hook)


def uninstall() -> None:
    """Put the functions back, where nobody else has put something there."""
    global _HOOKS  # noqa: PLW0603 - see above
    for home, name, hook in _HOOKS:
        if getattr(home, name) is hook:
            setattr(home, name, hook._real)  # noqa: SLF001
    _HOOKS = ()
    listen(None)


def listen(listener: Listener | None) -> None:
    """Tell *listener* from now on, in this process and none of its children; None: nobody."""
    global _listener, _process  # noqa: PLW0603 - see above
    _process = os.getpid()
    _listener = listener
