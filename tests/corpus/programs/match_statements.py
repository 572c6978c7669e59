"""Shapes told apart by match: sequences, mappings, classes, stars, or-patterns, and guards."""

from dataclasses import dataclass

SCALE = 5399


@dataclass
class Point:
    x: int
    y: int


class Circle:
    __match_args__ = ("centre", "radius")

    def __init__(self, centre, radius):
        self.centre, self.radius = centre, radius


def is_large(n):
    for _ in range(2):
        n += 1
    return n > 7


def area(shape):
    total = 0
    for k in range(3):
        total += k
    match shape:
        case Point(x=0, y=0):
            for k in range(2):
                total += k
            return "origin", total
        case Point(x, y) if is_large(x):
            for k in range(x % 3):
                total += y
            return "far", total
        case Point():
            return "point", total
        case Circle(Point(x, y), radius):
            for k in range(radius):
                total += x + y + k
            return "circle", total
        case [first, *rest] if rest:
            return "many", first, [area(each) for each in rest]
        case {"kind": "box", "sides": [a, b], **more}:
            for side in (a, b):
                total += side
            return "box", total, sorted(more)
        case int() | float() as number:
            while number > 3:
                number -= 3
                total += 1
            return "number", number, total
        case "a" | "b" | None:
            return "letter", shape
        case _:
            return "unknown", total


for i in range(SCALE):
    for shape in (
        Point(0, 0),
        Point(i, 4),
        Circle(Point(i, 1), i % 4),
        [Point(1, i), i, Circle(Point(0, 0), 2)],
        {"kind": "box", "sides": [i, 2], "colour": "red"},
        i * 1.5,
        "a",
        (),
    ):
        print(i, area(shape))
