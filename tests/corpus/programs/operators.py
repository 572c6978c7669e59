"""Operators, comparisons, items, conversions and attributes that run code of the program."""

SCALE = 12000


class Vector:
    def __init__(self, *parts):
        self.parts = list(parts)

    def _with(self, other, function):
        other = other.parts if isinstance(other, Vector) else [other] * len(self.parts)
        out = []
        for a, b in zip(self.parts, other):
            out.append(function(a, b))
        return Vector(*out)

    def __add__(self, other):
        return self._with(other, lambda a, b: a + b)

    def __radd__(self, other):
        return self + other

    def __mul__(self, other):
        return self._with(other, lambda a, b: a * b)

    def __iadd__(self, other):
        for i in range(len(self.parts)):
            self.parts[i] += other
        return self

    def __neg__(self):
        return Vector(*[-part for part in self.parts])

    def __eq__(self, other):
        for a, b in zip(self.parts, other.parts):
            if a != b:
                return False
        return True

    __hash__ = None

    def __lt__(self, other):
        return abs(self) < abs(other)

    def __abs__(self):
        total = 0
        for part in self.parts:
            total += part * part
        return total

    def __getitem__(self, key):
        for _ in range(2):
            found = self.parts[key]
        return found

    def __setitem__(self, key, value):
        for _ in range(2):
            self.parts[key] = value

    def __contains__(self, value):
        for part in self.parts:
            if part == value:
                return True
        return False

    def __bool__(self):
        return any(part for part in self.parts)

    def __format__(self, spec):
        return "<" + ",".join(format(part, spec) for part in self.parts) + ">"

    def __getattr__(self, name):
        if name in ("x", "y", "z"):
            for i, each in enumerate("xyz"):
                if each == name:
                    return self.parts[i]
        raise AttributeError(name)


for i in range(SCALE):
    a, b = Vector(1, 2, i), Vector(i, 0, 3)
    c = a + b * 2 + -a
    c += i
    c[1] = c[0] + a[2]
    print(f"{c:>3}", a == b, a < b, sorted([abs(a), abs(b), abs(c)]), 3 in c, c.x, c.z)
    print(f"{sum([a, b, c]):d}", bool(Vector(0, 0)), max(a, b, c).parts, hasattr(a, "w"))
    if a and not Vector(0):
        print([f"{v:d}" for v in sorted([c, a, b])])
