"""Classes that functions make, of metaclasses that count, slots, ABCs and mixed bases."""

SCALE = 900

import abc, collections

seen = collections.Counter()
known = collections.defaultdict(list)


class Meta(type):
    def __new__(m, name, bases, body, **kw):
        seen[name] += 1
        return super().__new__(m, name, bases, body)

    def __init__(cls, name, bases, body, tag=0):
        super().__init__(name, bases, body)
        type.__setattr__(cls, "tag", tag + len(known))

    def __setattr__(cls, name, value):
        seen["set " + name] += not name.startswith("__slotn")
        super().__setattr__(name, value)


class Field:
    def __set_name__(self, owner, name):
        self.name = name
        seen["named " + name] += 1


class Base(metaclass=Meta, tag=1):
    def __init_subclass__(cls, **kw):
        super().__init_subclass__()
        known[cls.__name__].append(cls)


class Shape(abc.ABC):
    def __init_subclass__(cls):
        known["shape"].append(cls)

    @abc.abstractmethod
    def area(self): ...


def make(i):
    class Local(Base, tag=i):
        one = Field()

        def go(self, k):
            for j in range(3):
                k += j
            return [k, __class__.__name__, super().__repr__()[:9]]

    class Flat(Shape):
        def area(self):
            for j in range(3):
                i
            return j

    class Words(Base, dict):
        pass

    return Local, Flat, Words


rows = [make(0)]
for i in range(SCALE):
    rows.append(make(i))
    del rows[:-3]
    for L, F, W in rows:
        s = L()
        s.x = i
        print(
            i,
            s.go(i),
            L.tag,
            L.one.name,
            s.x,
            F().area(),
            len(W(a=1)),
            issubclass(F, Shape),
            W.__mro__[-2].__name__,
            F.__abstractmethods__,
        )
    print(
        sum(seen.values()),
        len(known["Local"]),
        known["Local"][-1] is rows[-1][0],
        sorted(seen)[:3],
        len(known["shape"]),
    )
    del known["Local"][:-2], known["shape"][:-2], known["Words"][:]
