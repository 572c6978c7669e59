"""Things that belong to this process: made fresh, found again, or the reason why not.

A recipe returns a reduce value; what has none raises `Unsavable` with a reason and a remedy, and
the whole root is left out. Types are listed by name, so that nothing is imported for its own sake.
"""

from __future__ import annotations

import importlib
import logging
import queue
import random
import sys
import threading
import types
import weakref
from typing import Any

import numpy as np

from resume.pickling.builders import bound, builder
from resume.pickling.session import Rebuild, Reducer, Session, Unsavable

_REOPEN = "open it after the restore, or leave the variable out with exclude="
_AGAIN = "make it again after the restore, or leave the variable out with exclude="
_AWAIT = "await it before the save, or leave the variable out with exclude="
_ANEXT = "use a class with __anext__, or leave the variable out with exclude="
REASONS: dict[str, tuple[str, str]] = {
    "_io.TextIOWrapper": ("an open file belongs to this process", _REOPEN),
    "_io.BufferedReader": ("an open file belongs to this process", _REOPEN),
    "_io.BufferedWriter": ("an open file belongs to this process", _REOPEN),
    "_io.BufferedRandom": ("an open file belongs to this process", _REOPEN),
    "_io.BufferedRWPair": ("an open file belongs to this process", _REOPEN),
    "_io.FileIO": ("an open file belongs to this process", _REOPEN),
    "socket.socket": ("a socket belongs to this process", _AGAIN),
    "_socket.socket": ("a socket belongs to this process", _AGAIN),
    "ssl.SSLContext": ("a TLS context holds state outside Python", _AGAIN),
    "_ssl._SSLSocket": ("a socket belongs to this process", _AGAIN),
    "generator": (
        "a generator's place in its code cannot be copied",
        "use a class with __next__, a loop over chp.loop, or @resumable",
    ),
    "coroutine": ("a coroutine's place in its code cannot be copied", _AWAIT),
    "async_generator": ("a generator's place in its code cannot be copied", _ANEXT),
    "builtins.generator": (
        "a generator's place in its code cannot be copied",
        "use a class with __next__, a loop over chp.loop, or @resumable",
    ),
    "builtins.coroutine": ("a coroutine's place in its code cannot be copied", _AWAIT),
    "builtins.async_generator": ("a generator's place in its code cannot be copied", _ANEXT),
    "builtins.frame": ("a frame is a running call of this process", _AGAIN),
    "builtins.traceback": ("a traceback holds running calls of this process", _AGAIN),
    "threading.Thread": ("a thread runs in this process", _AGAIN),
    "subprocess.Popen": ("a child process belongs to this process", _AGAIN),
    "multiprocessing.process.BaseProcess": ("a child process belongs to this process", _AGAIN),
    "multiprocessing.pool.Pool": ("a pool's processes belong to this process", _AGAIN),
    "multiprocessing.queues.Queue": ("its pipe belongs to this process", _AGAIN),
    "multiprocessing.queues.SimpleQueue": ("its pipe belongs to this process", _AGAIN),
    "multiprocessing.managers.BaseManager": ("its server belongs to this process", _AGAIN),
    "multiprocessing.synchronize.SemLock": ("it is shared with this process's children", _AGAIN),
    "multiprocessing.connection._ConnectionBase": ("a pipe belongs to this process", _AGAIN),
    "concurrent.futures._base.Executor": ("a pool's workers belong to this process", _AGAIN),
    "concurrent.futures._base.Future": ("what will fill it runs in this process", _AGAIN),
    "asyncio.base_events.BaseEventLoop": ("an event loop runs in this process", _AGAIN),
    "_asyncio.Future": ("what will fill it runs in this process", _AGAIN),
    "_asyncio.Task": ("a task runs in this process", _AGAIN),
    "sqlite3.Connection": ("a database connection belongs to this process", _REOPEN),
    "sqlite3.Cursor": ("a database cursor belongs to this process", _REOPEN),
    "mmap.mmap": ("a memory map belongs to this process", _REOPEN),
    "select.epoll": ("it belongs to this process", _AGAIN),
    "_contextvars.ContextVar": ("a context variable belongs to this process", _AGAIN),
    "contextvars.ContextVar": ("a context variable belongs to this process", _AGAIN),
    "_contextvars.Context": ("a context belongs to this process", _AGAIN),
    "_contextvars.Token": ("it belongs to a context of this process", _AGAIN),
    "weakref.finalize": ("it is called when this process drops an object", _AGAIN),
    "h5py._hl.base.HLObject": ("an open HDF5 file belongs to this process", _REOPEN),
    "tempfile._TemporaryFileWrapper": ("an open file belongs to this process", _REOPEN),
    "tempfile.TemporaryDirectory": ("the folder goes away with this process", _AGAIN),
}


def reason_for(kind: type) -> tuple[str, str] | None:
    """Why objects of *kind* have no recipe, and the remedy; None where nothing is known."""
    for base in kind.__mro__:
        found = REASONS.get(f"{base.__module__}.{base.__qualname__}")
        if found is not None:
            return found
    return None


def refusal(kind: type) -> Reducer | None:
    """A reducer that refuses objects of *kind*, where they are known to have no recipe."""
    reason = reason_for(kind)
    if reason is None:
        return None
    why, remedy = reason

    def refuse(_session: Session, thing: Any) -> Any:
        for name in ("stdin", "stdout", "stderr"):
            if thing is getattr(sys, name) or thing is getattr(sys, f"__{name}__"):
                return standard_stream, (name,)
        raise Unsavable(why, remedy)

    return refuse


@builder
def standard_stream(name: str) -> Any:
    """The process's own stdin, stdout or stderr."""
    return getattr(sys, name)


@builder
def module(name: str) -> types.ModuleType:
    """The module *name*, imported where it is not yet."""
    return sys.modules.get(name) or importlib.import_module(name)


@builder
def lock() -> Any:
    """A fresh lock: nobody holds it."""
    return threading.Lock()


@builder
def rlock() -> Any:
    """A fresh re-entrant lock: nobody holds it."""
    return threading.RLock()


@builder
def condition(kind: type, held: Any) -> Any:
    """A condition over *held* with nobody waiting."""
    return kind(held)


@builder
def thread_local(kind: Any) -> Any:
    """A thread-local with no thread's values yet."""
    return kind.__new__(kind)


@builder
def simple_queue() -> Any:
    """An empty `queue.SimpleQueue`."""
    return queue.SimpleQueue()


@builder
def ref(target: Any, callback: Any = None) -> Any:
    """A weak reference; a dead one where *target* is None."""
    return weakref.ref(_Gone() if target is None else target, callback)


@builder
def weak_proxy(target: Any) -> Any:
    """A weak proxy of *target*."""
    return weakref.proxy(target)


@bound
def own(rebuild: Rebuild, name: str) -> Any:
    """The library's own object that the caller of decode put into the slot *name*."""
    if name not in rebuild.own:
        raise LookupError(f"the state refers to the library's own {name}, which is not here")
    return rebuild.own[name]


@builder
def global_random() -> random.Random:
    """The generator behind `random.random()`."""
    return random._inst  # noqa: SLF001


@builder
def global_random_state() -> Any:
    """The generator behind `numpy.random.rand()`."""
    return np.random.mtrand._rand  # noqa: SLF001


@builder
def global_bit_generator() -> Any:
    """The source of bits behind `numpy.random.rand()`."""
    return np.random.mtrand.get_bit_generator()


class _Gone:
    """Dies at once, so that a weak reference to it is dead."""


def _module(_session: Session, thing: types.ModuleType) -> Any:
    name = thing.__name__
    if sys.modules.get(name) is not thing:
        raise Unsavable(
            f"the module {name} is not what `import {name}` gives", "import it where it is used"
        )
    return module, (name,)


def _simple_queue(_session: Session, thing: Any) -> Any:
    if not thing.empty():
        raise Unsavable(
            "what waits in a SimpleQueue cannot be looked at", "use queue.Queue, or empty it first"
        )
    return simple_queue, ()


def _condition(_session: Session, thing: Any) -> Any:
    return condition, (type(thing), thing._lock)  # noqa: SLF001


def _thread_local(_session: Session, thing: Any) -> Any:
    return thread_local, (type(thing),), dict(thing.__dict__) or None


def _ref(_session: Session, thing: Any) -> Any:
    target = thing()
    return ref, (target,) if thing.__callback__ is None else (target, thing.__callback__)


def _proxy(_session: Session, thing: Any) -> Any:
    try:
        target = thing.__init__.__self__
    except (ReferenceError, AttributeError):
        raise Unsavable("the proxy's object is gone or hidden", _AGAIN) from None
    return weak_proxy, (target,)


def _weak_values(_session: Session, thing: Any) -> Any:
    return type(thing), (), None, None, iter(list(thing.items()))


def _weak_set(_session: Session, thing: Any) -> Any:
    return type(thing), (list(thing),)


def _logger(_session: Session, thing: logging.Logger) -> Any:
    known = thing is logging.root or logging.root.manager.loggerDict.get(thing.name) is thing
    return NotImplemented if known else _loose_logger(thing)


def _loose_logger(thing: logging.Logger) -> Any:
    raise Unsavable(f"logging.getLogger({thing.name!r}) is another logger", "use logging.getLogger")


def _random(_session: Session, thing: Any) -> Any:
    return (global_random, ()) if thing is random._inst else NotImplemented  # noqa: SLF001


def _random_state(_session: Session, thing: Any) -> Any:
    return (global_random_state, ()) if thing is global_random_state() else NotImplemented


def _bit_generator(_session: Session, thing: Any) -> Any:
    return (global_bit_generator, ()) if thing is global_bit_generator() else NotImplemented


def is_global(thing: Any) -> bool:
    """Whether *thing* is one of the process's own generators: those go by reference."""
    known = (global_random(), global_random_state(), global_bit_generator())
    return any(thing is one for one in known)


REDUCERS: dict[type, Reducer] = {
    types.ModuleType: _module,
    type(threading.Lock()): lambda _s, _t: (lock, ()),
    type(threading.RLock()): lambda _s, _t: (rlock, ()),
    threading._RLock: lambda _s, _t: (rlock, ()),  # noqa: SLF001
    threading.Condition: _condition,
    queue.SimpleQueue: _simple_queue,
    weakref.ref: _ref,
    weakref.ProxyType: _proxy,
    weakref.CallableProxyType: _proxy,
    weakref.WeakValueDictionary: _weak_values,
    weakref.WeakKeyDictionary: _weak_values,
    weakref.WeakSet: _weak_set,
    random.Random: _random,
    np.random.RandomState: _random_state,
    type(np.random.mtrand.get_bit_generator()): _bit_generator,
}
SUBCLASSES: dict[type, Reducer] = {
    types.ModuleType: _module,
    threading.local: _thread_local,
    logging.Logger: _logger,
}

GENERATORS = (random.Random, np.random.RandomState, type(np.random.mtrand.get_bit_generator()))
"""Types with a reducer for the global one only."""
KEPT: frozenset[type] = frozenset(
    {
        type(threading.Lock()),
        type(threading.RLock()),
        threading._RLock,  # noqa: SLF001
        threading.Condition,
    }
)
"""Inside an object that the caller holds, the living one stays: somebody may be waiting on it."""
KEPT_SUBCLASSES: tuple[type, ...] = (threading.local,)
