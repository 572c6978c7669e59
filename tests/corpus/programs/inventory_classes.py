"""Abstract classes, mixins, class decorators, operators on instances, sorted by keys of methods."""

import abc
import functools

SCALE = 12960
registry = {}


def registered(cls):
    registry[cls.__name__] = cls
    plain = cls.__init__

    @functools.wraps(plain)
    def counting(self, *args, **named):
        cls.made = getattr(cls, "made", 0) + 1
        plain(self, *args, **named)

    cls.__init__ = counting
    return cls


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...

    @property
    @abc.abstractmethod
    def name(self): ...

    def describe(self):
        lines = []
        for word in (self.name, f"{self.area():.2f}"):
            lines.append(word)
        return " ".join(lines)


class Scaled:
    def scale(self, k):
        for attribute in self.sizes:
            setattr(self, attribute, getattr(self, attribute) * k)
        return self


@registered
class Square(Scaled, Shape):
    sizes = ("side",)

    def __init__(self, side):
        self.side = side

    def area(self):
        return self.side**2

    @property
    def name(self):
        return "square"


@registered
@functools.total_ordering
class Triangle(Scaled, Shape):
    sizes = ("a", "b", "c")

    def __init__(self, a, b, c):
        self.a, self.b, self.c = a, b, c

    def area(self):
        s = (self.a + self.b + self.c) / 2
        product = s
        for side in (self.a, self.b, self.c):
            product *= s - side
        return product**0.5

    @property
    def name(self):
        return "triangle"

    def __lt__(self, other):
        return self.area() < other.area()

    def __eq__(self, other):
        return self.area() == other.area()

    __hash__ = object.__hash__


class Inventory:
    def __init__(self):
        self.shapes = []

    def __iadd__(self, shape):
        for each in self.shapes[-2:]:
            if each is shape:
                return self
        self.shapes.append(shape)
        return self

    def __iter__(self):
        return iter(sorted(self.shapes, key=lambda s: (s.area(), s.name)))

    def __len__(self):
        return len(self.shapes)


inventory = Inventory()
for i in range(SCALE):
    inventory += registry["Square"](i % 7 + 1)
    inventory += Triangle(3, 4, 5).scale(i % 3 + 1)
    for shape in list(inventory)[:6]:
        print(shape.describe())
    print(Triangle(3, 4, 5) < Triangle(5, 5, 5), len(inventory), Square.made, Triangle.made)
    try:
        Shape()
    except TypeError as error:
        print(str(error)[:30])
    if len(inventory) > 12:
        del inventory.shapes[:6]
