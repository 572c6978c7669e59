# expect: equal
"""Objects of classes of the script and of a class made in the function; slots and enums."""

import enum
import json

from ticks import tick

from resume import Checkpoint


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self):
        self.a = []


def work():
    class Local:
        made = 0

        def __init__(self, n):
            self.n = n

        def up(self):
            self.n += 1
            return self

    chp = Checkpoint(rate=0, fsync=False)
    local = Local(3)
    slotted = Slotted()
    colour = Colour.RED
    chp.restore()
    for i in chp.loop(range(4)):
        tick()
        local.up()
        slotted.a.append(i)
        if i == 2:
            slotted.b = colour
            colour = Colour.BLUE
    same = isinstance(local, Local), colour is Colour.BLUE, type(slotted) is Slotted
    return local.n, slotted.a, slotted.b.name, same


print(json.dumps(work()))
