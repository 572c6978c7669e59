"""Methods of all kinds, super, a property, operators, private names, and a count in the class."""

SCALE = 60


class Base:
    made = 0

    def __init__(self, n):
        self.n = n
        self.items = []
        for i in range(n):
            self.items.append(i)
            Base.made += 1
        self.__secret = n * 2

    def total(self):
        total = 0
        for i in self.items:
            total += i + self.__secret
        return total

    @property
    def double(self):
        total = 0
        for i in self.items:
            total += 2 * i
        return total

    @staticmethod
    def factorial(n):
        result = 1
        for i in range(1, n):
            result *= i
        return result

    @classmethod
    def make(cls, n):
        for _ in range(2):
            n += 1
        return cls(n)

    def __call__(self, k):
        result = 0
        for _ in range(k):
            result += self.n
        return result

    def __add__(self, other):
        result = 0
        for _ in range(3):
            result += self.n + other.n
        return result

    def __len__(self):
        return self.n


class Child(Base):
    def __init__(self, n, extra):
        super().__init__(n)
        self.extra = extra
        for i in range(extra):
            self.items.append(-i)

    def total(self):
        total = super().total()
        for i in range(3):
            total += i
        return total + len(self)


def main(n):
    for each in [Base(n), Child(2, n), Base.make(1)]:
        print(each.total(), each.double, each.factorial(4), each(3), each + each, Base.made)
    by_number = {}
    for i in range(n):
        by_number[i] = Child(i, 1)
        by_number[i].n += by_number[i](2)
    print([x.n for x in by_number.values()], Base.made)


for n in range(1, 4 * SCALE):
    main(n)
