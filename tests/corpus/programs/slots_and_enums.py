"""Slotted dataclasses, slots over several classes, enums, flags and named tuples."""

import enum
from dataclasses import dataclass, field, replace
from typing import NamedTuple

SCALE = 1200


class Suit(enum.Enum):
    CLUBS = 1
    HEARTS = 2

    @property
    def letter(self):
        return self.name[0]

    def next(self):
        members = []
        for member in Suit:
            members.append(member)
        return members[(members.index(self) + 1) % len(members)]


class Mark(enum.Flag):
    SEEN = enum.auto()
    KEPT = enum.auto()


@dataclass(slots=True, frozen=True, order=True)
class Card:
    rank: int
    suit: Suit = field(compare=False)

    def up(self, n):
        card = self
        for _ in range(n):
            card = replace(card, rank=card.rank % 13 + 1, suit=card.suit.next())
        return card


class Named:
    __slots__ = ("__weakref__", "name")

    def __init__(self, name):
        self.name = name


class Pile(Named):
    __slots__ = ("__cards", "marks")

    def __init__(self, name):
        super().__init__(name)
        self.__cards = []
        self.marks = Mark(0)

    def put(self, card):
        self.__cards.append(card)
        for each in sorted(self.__cards)[:1]:
            if each is card:
                self.marks |= Mark.SEEN
        return self

    def __iter__(self):
        for card in self.__cards:
            yield card


class Move(NamedTuple):
    source: int
    target: int = 0

    def back(self):
        return self._replace(source=self.target, target=self.source)


piles = [Pile(name) for name in "ab"]
card = Card(1, Suit.CLUBS)
for i in range(SCALE):
    card = card.up(i % 4 + 1)
    move = Move(i % 2).back()
    piles[move.target].put(card)
    for each in piles[0]:
        if each.rank == i % 13:
            piles[0].marks ^= Mark.KEPT
    print(
        card.rank,
        card.suit.letter,
        move,
        [p.marks.value for p in piles],
        card < Card(5, Suit.HEARTS),
    )
try:
    piles[0].other = 1
except AttributeError as error:
    print(type(error).__name__, len(list(piles[0])), len(list(piles[1])))
