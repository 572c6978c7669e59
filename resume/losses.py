"""What a save says of variables that it cannot keep, or not whole: of each once."""

from __future__ import annotations

from resume import notices
from resume.errors import UnpicklableError
from resume.snapshot import Snapshot


class Losses:
    """What is lost in the saves of one run.

    Args:
        is_strict: A loss is an error, before anything is written.
    """

    def __init__(self, *, is_strict: bool) -> None:
        self._is_strict = is_strict
        self._told: set[str] = set()

    def tell(self, snapshot: Snapshot, checkpoint: str) -> None:
        """Warn of what *snapshot*, to be saved as one of *checkpoint*, does not hold.

        Raises:
            UnpicklableError: There is something, and a loss is an error.
        """
        for name in snapshot.without_graph:
            self._tell(
                f"{name}.backward()",
                f"cannot save the graph of a tensor in {name!r}, which backward() has not gone "
                "through",
                f": checkpoint {checkpoint!r} has its values only, and backward() on what "
                "comes back would reach nothing behind it",
                "Save behind backward(), or keep what needs none with detach() or no_grad().",
            )
        for skip in snapshot.skipped:
            self._tell(
                skip.path,
                f"cannot save {skip.path} (a {skip.type}): {skip.why}",
                f". The variable {skip.name!r} is left out of checkpoint {checkpoint!r}, and "
                "a rerun keeps its own",
                skip.remedy[:1].upper() + skip.remedy[1:],
            )

    def _tell(self, loss: str, text: str, result: str, remedy: str) -> None:
        if loss in self._told:
            return
        self._told.add(loss)
        if self._is_strict:
            raise UnpicklableError(f"{text}. Nothing was written. {remedy}")
        notices.warn(f"{text}{result}. {remedy}")
