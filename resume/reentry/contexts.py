"""Context managers in residuals: exit what was entered before, or enter it again.

A `with` block that goes on in its middle must not enter its manager a second time: the file is
open, the transaction has begun, and the state holds both. So the residual enters `Entered`, which
only exits.

Managers that changed the process itself are another matter: the process that goes on has not been
changed yet. Those are made and entered again, whatever could be saved of them. Which they are, no
look at an object can tell: they stand in a list, by name, so that nothing is imported.

What can still go wrong: such a manager inside an `ExitStack`, or inside one of the program's own
making, is not known to have acted on the process, and is not entered again.
"""

from __future__ import annotations

import functools
from collections.abc import Generator
from typing import Any

ENTERED_AGAIN = frozenset(
    {
        "_thread.lock",
        "_thread.RLock",
        "threading._RLock",
        "threading.Condition",
        "contextlib.chdir",
        "contextlib._RedirectStream",
        "numpy.errstate",
        "numpy.core._ufunc_config.errstate",
        "numpy._core._ufunc_config.errstate",
        "pandas._config.config.option_context",
        "pandas.option_context",
        "torch.autograd.grad_mode.no_grad",
        "torch.autograd.grad_mode.enable_grad",
        "torch.autograd.grad_mode.set_grad_enabled",
        "torch.autograd.grad_mode.inference_mode",
        "torch.autograd.anomaly_mode.detect_anomaly",
        "torch.autograd.anomaly_mode.set_detect_anomaly",
        "torch.autograd.graph.saved_tensors_hooks",
        "torch.autograd.profiler.profile",
        "torch.amp.autocast_mode.autocast",
        "torch.cuda.StreamContext",
        "torch.cuda.device",
        "torch.utils._device.DeviceContext",
        "torch.utils._contextlib._DecoratorContextManager",
        "torch.random.fork_rng",
        "unittest.mock._patch",
        "unittest.mock._patch_dict",
        "warnings.catch_warnings",
    }
)
"""Classes, by the full name of one of their bases."""

ENTERED_AGAIN_FUNCTIONS = frozenset(
    {
        "numpy.printoptions",
        "numpy.core.arrayprint.printoptions",
        "numpy._core.arrayprint.printoptions",
        "pandas._config.config.option_context",
        "torch.random.fork_rng",
        "torch.autograd.profiler.record_function",
    }
)
"""Functions that `contextlib.contextmanager` made, by their full names."""


def acts_on_process(manager: Any) -> bool:
    """Whether *manager* has changed the process when it was entered, and must do so again."""
    names = {f"{base.__module__}.{base.__qualname__}" for base in type(manager).__mro__}
    if not names.isdisjoint(ENTERED_AGAIN):
        return True
    if "contextlib._GeneratorContextManager" not in names:
        return False
    maker = getattr(manager, "func", None)
    made_by = f"{getattr(maker, '__module__', '')}.{getattr(maker, '__qualname__', '')}"
    return made_by in ENTERED_AGAIN_FUNCTIONS


class Entered:
    """Exits the manager that was entered before, and enters nothing: `Helpers.entered`."""

    __slots__ = ("_manager",)

    def __init__(self, manager: Any) -> None:
        self._manager = manager

    def __enter__(self) -> Any:
        return self._manager

    def __exit__(self, *exc: object) -> Any:
        # As the interpreter does: by the class, whatever the instance holds.
        return type(self._manager).__exit__(self._manager, *exc)


def delegate(inner: Any) -> Generator[Any, Any, Any]:
    """Be the suspended *inner*, in a generator that is yet to be asked once: `Helpers.delegate`.

    The first yield stands for the one at which *inner* is suspended already: what is sent or thrown
    there reaches it. Frames of this function may stand between two of the program's.
    """
    value = None
    while True:
        try:
            sent = yield value
        except GeneratorExit:
            getattr(inner, "close", _nothing)()
            raise
        except BaseException as thrown:
            if not hasattr(inner, "throw"):
                raise
            request = functools.partial(inner.throw, thrown)
        else:
            request = (
                functools.partial(next, inner)
                if sent is None
                else functools.partial(inner.send, sent)
            )
        try:
            value = request()
        except StopIteration as end:
            return end.value


def _nothing() -> None:
    """Iterators without `close` have nothing to close."""
