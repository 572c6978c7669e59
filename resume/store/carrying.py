"""Live bytes out of the emptiest old bodies into the new one, so that the old ones can go.

Goal: the bodies that the newest generation names are half live at least, and 64 at most. The writer
does it beside the program, from disk to disk: nobody looks at the program's memory for it.

What does not work, and what is done:
- Emptying whatever is needed at once: the body of a first, full save would be copied in one piece,
  and a save of 1 % would write 40 % of the state, or all of it. So a save carries no more than it
  writes itself, or a 32nd of what is live, or 1 MiB, whichever is most, and what is left of the
  slice of up to 4 MiB that it ends in; the rest of a large body follows at the next saves. Reading
  counts too, a quarter of writing: a body of which every 64th part is live has to be read in full.
- Emptying one body a save where there are too many: the same bytes are copied again and again. So
  the bodies with the fewest live bytes go together, as long as the next is no larger than all
  before it.
- One order for both ends: the emptiest body may be the largest by far. The live share counts where
  bytes are to be won, the live bytes where bodies are.

Simulated over 800 saves that change 0.01 % to 30 % of a state, scattered, hot and cold, in turns or
in bursts: 1.0 to 2.3 bytes are written for each byte that changed, and the bodies hold up to twice
the live bytes; 2.5 times for a while, where the body of the first save is being emptied.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from resume.store.appending import BodyWriter
from resume.store.changes import joined
from resume.store.extents import Extent, Piece, Stored
from resume.store.transfer import Move, Step, Transfer
from resume.types import BodyRef

MOST_BODIES = 64
"""A generation needs this many bodies at most, its own included."""
_LEAST_LIVE = 0.5
_SHARE = 1 / 32
"""A save may carry this part of all that is live, whatever it writes itself."""
_LEAST_BYTES = 1 << 20
"""And so many bytes."""
_READING = 0.25
"""What reading a byte costs of what writing one does."""


@dataclass(slots=True)
class Use:
    """What a generation has of one body, in bytes."""

    size: int
    """Of the whole body."""
    live: int = 0
    """What is named of it."""
    read: int = 0
    """What must be read to carry all that is named."""

    @property
    def cost(self) -> float:
        """What carrying it costs, in bytes written."""
        return max(self.live, _READING * self.read)


def carry(
    stored: tuple[Stored, ...],
    bodies: Mapping[str, BodyRef],
    place: Path,
    writer: BodyWriter,
    damaged: set[str],
) -> tuple[Stored, ...]:
    """Copy what *stored* needs of the emptiest of *bodies* to the end of the body of *writer*.

    Args:
        stored: The new generation's buffers.
        bodies: The older bodies that they may name.
        place: The folder of the bodies.
        writer: Of the new body, all of whose own bytes are written.
        damaged: Gets the names of bodies that were to be emptied and are damaged. They are warned
            of, and what lies in them is as it was.

    Returns:
        The same buffers, and where they lie now.

    Raises:
        OSError: The disk refused to take the bytes.
    """
    allowed = choose(uses_of(stored, bodies), writer.offset)
    if not allowed:
        return stored
    transfer = Transfer(allowed, bodies, place, writer, damaged)
    plans = [[transfer.plan(piece) for piece in one.pieces] for one in stored]
    transfer.finish()
    return tuple([_settled(one, plan) for one, plan in zip(stored, plans, strict=True)])


def _settled(stored: Stored, plans: Sequence[Sequence[Step]]) -> Stored:
    pairs = zip(stored.pieces, plans, strict=True)
    pieces = [_settled_piece(piece, steps) if steps else piece for piece, steps in pairs]
    return replace(stored, pieces=tuple(pieces))


def _settled_piece(piece: Piece, steps: Sequence[Step]) -> Piece:
    slices = (step.new if isinstance(step, Move) else step for step in steps)
    return replace(piece, slices=tuple(joined(slices)))


def uses_of(stored: Iterable[Stored], bodies: Mapping[str, BodyRef]) -> dict[str, Use]:
    """What *stored* has of each of *bodies* that it names."""
    uses: dict[str, Use] = {}
    for extent, named in _named_bytes(stored).items():
        if extent.body in bodies:
            use = uses.setdefault(extent.body, Use(bodies[extent.body].size_bytes))
            use.live += extent.stored * named // extent.raw
            use.read += extent.stored
    return uses


def _named_bytes(stored: Iterable[Stored]) -> dict[Extent, int]:
    """How many raw bytes of each extent are named; what is named twice counts once."""
    named: dict[Extent, int] = {}
    spans: dict[Extent, list[tuple[int, int]]] = {}
    for part in (part for one in stored for piece in one.pieces for part in piece.slices):
        if part.length == part.extent.raw:
            named[part.extent] = part.length
        else:
            spans.setdefault(part.extent, []).append((part.start, part.start + part.length))
    return {extent: _covered(some) for extent, some in spans.items()} | named


def _covered(spans: Iterable[tuple[int, int]]) -> int:
    covered = place = 0
    for start, end in sorted(spans):
        covered += max(0, end - max(start, place))
        place = max(place, end)
    return covered


def choose(uses: Mapping[str, Use], own: int) -> dict[str, float]:
    """How many live bytes to carry out of which bodies; `math.inf` stands for all of them.

    Args:
        uses: What is live in each older body.
        own: Bytes that this save wrote itself.
    """
    live = own + sum(use.live for use in uses.values())
    budget = max(own, _SHARE * live, _LEAST_BYTES)
    chosen = dict.fromkeys(_to_be_fewer(uses, own, budget), math.inf)
    budget -= sum(uses[name].cost for name in chosen)
    total = own + sum(use.live if name in chosen else use.size for name, use in uses.items())
    rest = [name for name in uses if name not in chosen]
    for name in sorted(rest, key=lambda name: uses[name].live / uses[name].size):
        use = uses[name]
        if live >= _LEAST_LIVE * total or budget <= 0:
            break
        # What is too much for this save follows at the next: the body is the emptiest then, too.
        chosen[name] = math.inf if use.cost <= budget else use.live * budget / use.cost
        budget -= use.cost
        total -= use.size - use.live
    return chosen


def _to_be_fewer(uses: Mapping[str, Use], own: int, budget: float) -> Iterator[str]:
    """The bodies that must go lest there be too many, and those that may as well go with them."""
    surplus = len(uses) + 1 - MOST_BODIES
    if surplus <= 0:
        return
    carried, spent = own, 0.0
    for row, name in enumerate(sorted(uses, key=lambda name: uses[name].live)):
        spent += uses[name].cost
        if row >= surplus and (uses[name].live > carried or spent > budget):
            return
        carried += uses[name].live
        yield name
