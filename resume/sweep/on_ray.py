"""Ray as an executor: each call is a task of its cluster."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from resume.errors import ConfigError


class RayExecutor(Executor):
    """An executor for `ResumableSweep.map` that gives each item to the Ray cluster.

    Args:
        **options: What Ray is told of each task, as `num_cpus=2` or `num_gpus=1`. A task whose
            worker dies is not repeated by Ray, for the sweep does that, and counts.

    Raises:
        ConfigError: Ray is not installed.
    """

    def __init__(self, **options: Any) -> None:
        try:
            import ray  # noqa: PLC0415 - heavy, and only here
        except ImportError as why:
            raise ConfigError(f"Ray is not installed ({why}): pip install ray") from why
        self._ray: Any = ray
        self._remote = ray.remote(**{"num_cpus": 1, "max_retries": 0, **options})(_call)
        self._cpus = max(1.0, float(options.get("num_cpus", 1)))

    @property
    def _max_workers(self) -> int:
        """Tasks that the cluster can run at once, as far as its processors tell."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1) / self._cpus))

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A future of `function(*args, **kwargs)`, somewhere in the cluster."""
        future: Future[Any] = self._remote.remote(function, args, kwargs).future()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """Nothing to end: the cluster is its owner's."""


def _call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return function(*args, **kwargs)
