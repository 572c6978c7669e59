"""From samples to a Markdown table: medians, ratios to plain pickle, the spread."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from peers_states import STATES

BASELINE = "pickle"
COLUMNS = {
    "first": "pause, first save",
    "pause": "pause, later save",
    "durable": "until durable",
    "written": "written",
    "restore": "restore",
    "extra": "extra memory",
    "next_step": "next step",
}
"""Name of the sample -> heading."""
OVERVIEW = ("pause", "durable", "written", "restore")
_TIMES = ("first", "pause", "durable", "restore")
_SIZES = ("written", "extra")
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


@dataclass
class Entry:
    """What one contender did in one round with one state."""

    run: str
    """Which start of the program this was; only entries of one round of one start are compared."""
    round: int
    state: str
    contender: str
    shrunk: int = 1
    """Measured with a state so many times smaller, and multiplied by it in the table."""
    samples: dict[str, list[float]] = field(default_factory=dict)
    cannot: str | None = None
    """Why there are no samples."""

    def value(self, column: str) -> float | None:
        """The median of the round, scaled to the full size."""
        taken = self.samples.get(column)
        if not taken:
            return None
        return statistics.median(taken) * (1 if column == "next_step" else self.shrunk)


def show_seconds(value: float) -> str:
    """Three digits and a unit."""
    if value >= 1:
        return f"{value:.2f} s"
    return f"{value * 1e3:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} µs"


def show_bytes(value: float) -> str:
    """Three digits and a unit."""
    size, unit = next((one for one in _UNITS if abs(value) >= one[0]), _UNITS[-1])
    return f"{value / size:.3g} {unit}"


_SHOW: dict[str, Callable[[float], str]] = {
    **dict.fromkeys(_TIMES, show_seconds),
    **dict.fromkeys(_SIZES, show_bytes),
}


def cell(column: str, entries: Sequence[Entry], baseline: Sequence[Entry]) -> str:
    """Median, ratio to plain pickle in the same rounds, least and most."""
    values = [value for entry in entries if (value := entry.value(column)) is not None]
    if not values:
        return "–"
    show = (
        show_seconds if column in _TIMES else show_bytes if column in _SIZES else "{:.2f}x".format
    )
    text = show(statistics.median(values))
    if column != "next_step" and any(entry.shrunk > 1 for entry in entries):
        text = f"{'≤' if column == 'extra' else '≈'} {text}"  # not all memory grows with the state
    if column in _TIMES or column == "written":
        text += f" **{ratio}**" if (ratio := _ratio(column, entries, baseline)) else ""
    least, most = show(min(values)), show(max(values))
    return text if least == most else f"{text} ({least} to {most})"


def _ratio(column: str, entries: Sequence[Entry], baseline: Sequence[Entry]) -> str:
    measure = {(entry.run, entry.round): entry.value(column) for entry in baseline}
    ratios = [
        value / against
        for entry in entries
        if (value := entry.value(column)) is not None
        and (against := measure.get((entry.run, entry.round)))
    ]
    return f"{statistics.median(ratios):.3g}x" if ratios else ""


def row(contender: str, entries: Sequence[Entry], baseline: Sequence[Entry]) -> str:
    """One line of the table; every cell is filled."""
    why = next((entry.cannot for entry in entries if entry.cannot), None)
    if why is not None:
        cells = [why, *["–"] * (len(COLUMNS) - 1)]
    else:
        cells = [cell(column, entries, baseline) for column in COLUMNS]
    return f"| {contender} | {' | '.join(cells)} |"


def table(state: str, entries: Sequence[Entry], size: str) -> str:
    """The table of one state, with what has to be known to read it."""
    mine = [entry for entry in entries if entry.state == state]
    order = list(dict.fromkeys(entry.contender for entry in mine))
    baseline = [entry for entry in mine if entry.contender == BASELINE]
    counts = sorted(len([one for one in mine if one.contender == name]) for name in order)
    rounds = f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
    lines = [
        f"### {state} ({f'{size}, ' if STATES[state].is_sized else ''}{rounds} rounds)",
        "",
        f"| | {' | '.join(COLUMNS.values())} |",
        f"|---|{'---|' * len(COLUMNS)}",
    ]
    lines += [row(name, [e for e in mine if e.contender == name], baseline) for name in order]
    lines += _notes(mine)
    return "\n".join(lines)


def _notes(entries: Sequence[Entry]) -> list[str]:
    shrunk = {entry.contender: entry.shrunk for entry in entries if entry.shrunk > 1}
    notes = [
        f"≈ {name}: measured with a state {times} times smaller, and multiplied by {times}."
        for name, times in shrunk.items()
    ]
    return ["", *notes] if notes else []


def overview(document: dict[str, Any]) -> str:
    """A table for each of the main columns: contenders by states, ratios to plain pickle."""
    entries = [Entry(**entry) for entry in document["entries"]]
    states = dict.fromkeys(entry.state for entry in entries)
    order = dict.fromkeys(entry.contender for entry in entries)
    parts = []
    for column in OVERVIEW:
        lines = [f"| {COLUMNS[column]} | {' | '.join(states)} |", f"|---|{'---|' * len(states)}"]
        for name in order:
            cells = [_brief(column, state, name, entries) for state in states]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _brief(column: str, state: str, contender: str, entries: Sequence[Entry]) -> str:
    """The ratio alone; of plain pickle what it is a ratio to."""
    here = [entry for entry in entries if entry.state == state]
    mine = [entry for entry in here if entry.contender == contender and entry.value(column)]
    if not mine:
        return "–"
    if contender == BASELINE:
        return cell(column, mine, ()).split(" (")[0]
    ratio = _ratio(column, mine, [entry for entry in here if entry.contender == BASELINE])
    is_scaled = ratio and any(entry.shrunk > 1 for entry in mine)
    return f"≈ {ratio}" if is_scaled else ratio or "–"


def tables(document: dict[str, Any]) -> str:
    """All tables of a JSON document, one a state."""
    entries = [Entry(**entry) for entry in document["entries"]]
    states = dict.fromkeys(entry.state for entry in entries)
    legend = (
        "Medians; **ratio to plain pickle in the same round**; (least to most). Durable: fsync of "
        "every file and folder included, for all alike. Pause: as the contender does it by itself. "
        "Next step: time to rewrite the whole state right after the pause, against the same once "
        "the save has settled; of those that go on after the pause."
    )
    return "\n\n".join([legend, *(table(state, entries, document["size"]) for state in states)])
