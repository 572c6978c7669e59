"""Diamonds of classes whose methods all call super, keyword arguments handed on, class methods."""

SCALE = 18000


class Root:
    registry = []

    def __init__(self, **rest):
        assert not rest
        self.trail = []
        for _ in range(2):
            self.trail.append("root")
        Root.registry.append(type(self).__name__)

    def visit(self, n):
        for i in range(n):
            self.trail.append(i)
        return n

    @classmethod
    def build(cls, n, **rest):
        made = []
        for i in range(n):
            made.append(cls(**rest))
        return made


class Left(Root):
    def __init__(self, left=1, **rest):
        super().__init__(**rest)
        for i in range(left):
            self.trail.append(f"left{i}")
        self.left = left

    def visit(self, n):
        total = super().visit(n) + self.left
        for _ in range(2):
            total += 1
        return total


class Right(Root):
    def __init__(self, right=2, **rest):
        super(Right, self).__init__(**rest)
        self.right = right

    def visit(self, n):
        return sum([super().visit(n + 1), self.right, *[super().visit(0), super().visit(1)]])

    @classmethod
    def build(cls, n, **rest):
        return super().build(n + 1, **rest)


class Both(Left, Right):
    def visit(self, n):
        plain = super().visit
        return plain(n) * 2 + super(Left, self).visit(n)

    def __repr__(self):
        return f"{super().__repr__()[:1]}{type(self).__name__} {self.trail}"


for n in range(SCALE):
    for each in Both.build(n % 3, left=n % 4, right=n):
        print(each.visit(n % 5), each)
    print(len(Root.registry), [c.__name__ for c in Both.__mro__])
    try:
        Both(other=n)
    except AssertionError:
        print("refused")
