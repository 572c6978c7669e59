"""What a program has told the `logging` module: levels, handlers and filters of its loggers.

Goal: the rerun writes the lines that the undisturbed run would, to the same places.

A logger goes by its name, so what it was told is state of its own: each logger with handlers or
filters is a root of its own, so that one that cannot be saved is left out alone, and said. Files of
handlers are opened again and cut back as all files are.

What is there when the state comes back was made by imports of libraries; where the saved state has
the like of it, that stays, for the library may know it by a name of its own. Our own logger is none
of the program's business.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from resume.pickling.builders import builder
from resume.pickling.session import Reducer, Session
from resume.reentry.things import inherits_reduce

_TOLD = "logging"
_LOGGER = "logger "
_OUR_OWN = "resume"


def state(modules: Collection[str]) -> dict[str, Any]:
    """What all loggers were told, by the name of the root that it is to be.

    Args:
        modules: Names of the program's modules: loggers of their classes are objects of its own.
    """
    found: dict[str, Any] = {}
    rows = {}
    for name, logger in _loggers():
        holds = bool(logger.handlers or logger.filters)
        rows[name] = (logger.level, logger.propagate, logger.disabled, holds)
        if holds:
            found[_LOGGER + name] = (logger.handlers, logger.filters)
    names = (dict(logging._levelToName), dict(logging._nameToLevel))  # noqa: SLF001
    found[_TOLD] = {
        "loggers": rows,
        "names": names,
        "disabled": logging.root.manager.disable,
        "own": [logger for _, logger in _loggers() if type(logger).__module__ in modules],
    }
    return found


def _loggers() -> Iterator[tuple[str, logging.Logger]]:
    yield "root", logging.root
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.partition(".")[0] != _OUR_OWN:
            yield name, logger


def apply(known: Mapping[str, Any]) -> None:
    """Tell all loggers again what `state` gave; what is missing of it was left out, and stays."""
    if _TOLD not in known:
        return
    told = known[_TOLD]
    logging._levelToName.update(told["names"][0])  # noqa: SLF001
    logging._nameToLevel.update(told["names"][1])  # noqa: SLF001
    logging.root.manager.disable = told["disabled"]
    for name, (level, propagate, disabled, holds) in told["loggers"].items():
        logger = logging.root if name == "root" else logging.getLogger(name)
        logger.level, logger.propagate, logger.disabled = level, propagate, disabled
        if not holds:
            logger.handlers.clear()
            logger.filters.clear()
        elif _LOGGER + name in known:
            handlers, filters = known[_LOGGER + name]
            handlers[:] = [_there_or(handler, logger.handlers) for handler in handlers]
            logger.handlers, logger.filters = handlers, filters
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]  # noqa: SLF001


def _there_or(handler: logging.Handler, there: list[logging.Handler]) -> logging.Handler:
    """The like of *handler* that is there already, if there is one."""
    return next((each for each in there if _looks(each) == _looks(handler)), handler)


def _looks(handler: logging.Handler) -> tuple[Any, ...]:
    plain = {name: value for name, value in vars(handler).items() if isinstance(value, str | int)}
    form = handler.formatter
    text = [type(form), *(getattr(form, name, None) for name in ("_fmt", "datefmt"))]
    return type(handler), id(getattr(handler, "stream", None)), plain, text


# ---------------------------------------------------------------- handlers


def look(kind: type, *, is_ours: bool) -> Reducer | None:
    """Return how handlers and loggers of this type are saved; None for the core's way.

    Args:
        kind: Their type.
        is_ours: It is a class of the program's.
    """
    if is_ours and issubclass(kind, logging.Logger):
        return _own_logger
    if issubclass(kind, logging.Handler) and inherits_reduce(kind, logging.Handler):
        return _handler
    return None


def _handler(_session: Session, thing: logging.Handler) -> Any:
    if thing is logging._defaultLastResort:  # type: ignore[attr-defined]  # noqa: SLF001
        return last_resort, ()
    state = {name: value for name, value in vars(thing).items() if name != "lock"}
    return new_handler, (type(thing),), state, None, None, put_handler


def _own_logger(_session: Session, thing: logging.Logger) -> Any:
    state = {name: value for name, value in vars(thing).items() if name not in _USUAL}
    return own_logger, (type(thing), thing.name), state, None, None, put_logger


_USUAL = frozenset(vars(logging.root))
"""Attributes of every logger: they are told apart from it."""


@builder
def own_logger(kind: type[logging.Logger], name: str) -> logging.Logger:
    """The logger of that name, of a class of the program's."""
    usual = logging.getLoggerClass()
    logging.setLoggerClass(kind)
    try:
        found = logging.getLogger(name)
    finally:
        logging.setLoggerClass(usual)
    if not isinstance(found, kind):  # something has asked for it before its class was there
        found.__class__ = kind
    return found


@builder
def put_logger(target: logging.Logger, state: dict[str, Any]) -> None:
    """Give a logger what its class gave it."""
    vars(target).update(state)


@builder
def last_resort() -> Any:
    """What `logging` itself writes with where no handler is."""
    return logging._defaultLastResort  # type: ignore[attr-defined]  # noqa: SLF001


@builder
def new_handler(kind: type[logging.Handler]) -> logging.Handler:
    """A handler, its attributes still to come."""
    return kind.__new__(kind)


@builder
def put_handler(target: logging.Handler, state: dict[str, Any]) -> None:
    """Give a handler its attributes, a lock of its own, and an end to be closed at."""
    vars(target).update(state)
    target.createLock()
    logging._addHandlerRef(target)  # type: ignore[attr-defined]  # noqa: SLF001
    if target.name:
        logging._handlers[target.name] = target  # type: ignore[attr-defined]  # noqa: SLF001
