"""Metaclasses that register and check, __new__ that shares, __init_subclass__, __set_name__."""

SCALE = 10799


class Registry(type):
    known = {}

    def __new__(mcls, name, bases, namespace, **options):
        for key in list(namespace):
            if key.startswith("old_"):
                namespace[key.removeprefix("old_")] = namespace.pop(key)
        return super().__new__(mcls, name, bases, namespace)

    def __init__(cls, name, bases, namespace, tag=None):
        super().__init__(name, bases, namespace)
        for base in bases:
            Registry.known.setdefault(base.__name__, []).append((name, tag))

    def __call__(cls, *args):
        made = super().__call__(*args)
        for _ in range(2):
            made.seen += 1
        return made

    def __len__(cls):
        return len(cls.__name__)


class Field:
    def __set_name__(self, owner, name):
        self.name = "_" + name
        for each in ("fields",):
            owner.fields = [*getattr(owner, each, []), name]

    def __get__(self, instance, owner=None):
        return self if instance is None else getattr(instance, self.name, 0)

    def __set__(self, instance, value):
        total = 0
        for i in range(value):
            total += i
        setattr(instance, self.name, total)


class Base(metaclass=Registry):
    seen = 0
    size = Field()
    depth = Field()

    def __init_subclass__(cls, **options):
        super().__init_subclass__()
        cls.order = len(Registry.known)

    def __init__(self, n):
        self.size = n
        for i in range(n):
            self.depth = i

    def old_total(self):
        total = 0
        for name in self.fields:
            total += getattr(self, name)
        return total


class One:
    shared = {}

    def __new__(cls, name):
        if name not in cls.shared:
            for _ in range(2):
                cls.shared[name] = super().__new__(cls)
        return cls.shared[name]


for i in range(SCALE):
    made = type(Base)(f"Made{i % 30}", (Base,), {"old_extra": i}, tag=i)
    each = made(i % 9)
    for step in range(3):
        each.size = step + i % 5
        print(each.size, each.depth, each.total(), each.seen, made.extra, made.order, len(made))
    print(One(f"n{i % 4}") is One(f"n{i % 4}"), len(One.shared), Registry.known["Base"][-1])
