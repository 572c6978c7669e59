"""What a program says of its own types comes before the core, and after the user."""

from __future__ import annotations

import threading
from fractions import Fraction

from there_and_back import fresh

from resume.pickling import decode, encode


class Tile:
    def __init__(self, name: str) -> None:
        self.name = name


def values_of(roots, **options):
    encoded = encode(roots, **options)
    assert () == encoded.skipped
    return decode(encoded.stream, fresh(encoded)).values


def tiles_by_name(kind):
    return (lambda _session, tile: (Tile, (f"looked {tile.name}",))) if kind is Tile else None


def test_a_look_decides_for_its_types_alone():
    values = values_of({"tile": [Tile("a")], "other": Fraction(1, 3)}, look=tiles_by_name)

    assert "looked a" == values["tile"][0].name
    assert Fraction(1, 3) == values["other"]


def test_what_a_look_leaves_open_goes_the_cores_way():
    """NotImplemented falls back, to a reducer of the core's or to pickle's own way."""
    kinds = {Tile, type(threading.Lock()), type}
    values = values_of(
        {"tile": [Tile("a")], "lock": [threading.Lock()], "kind": [Tile]},
        look=lambda kind: (lambda *_: NotImplemented) if kind in kinds else None,
    )

    assert "a" == values["tile"][0].name
    assert values["lock"][0].acquire(blocking=False)
    assert Tile is values["kind"][0]


def test_the_user_comes_before_the_look():
    values = values_of(
        {"tile": [Tile("a")]},
        look=tiles_by_name,
        reducers={Tile: lambda tile: (Tile, ("the user's",))},
    )

    assert "the user's" == values["tile"][0].name


def test_a_culprit_is_found_behind_a_look():
    """The search for what cannot be saved asks the look, too."""

    def look(kind):
        return (lambda _session, tile: (Tile, (tile.name,))) if kind is Tile else None

    encoded = encode({"tile": [Tile(iter(memoryview(b"ab")))]}, look=look)

    assert ["tile[0]"] == [skip.path for skip in encoded.skipped]
