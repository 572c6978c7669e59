"""Classes that answer every attribute, hide their dict, forbid iteration, or define their state."""

SCALE = 4878


class Anything:
    def __init__(self, depth=0):
        self.depth = depth

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        made = Anything(self.depth + 1)
        for _ in range(2):
            self.__dict__[name] = made
        return made


class Proxy:
    __slots__ = ("_target",)

    def __init__(self, target):
        object.__setattr__(self, "_target", target)

    def __getattribute__(self, name):
        target = object.__getattribute__(self, "_target")
        return getattr(target, name)

    def __setattr__(self, name, value):
        setattr(object.__getattribute__(self, "_target"), name, value)


class Stateful:
    __iter__ = None
    __hash__ = None

    def __init__(self, n):
        self.n, self.cache = n, {}

    def __getstate__(self):
        kept = {}
        for name in ("n",):
            kept[name] = getattr(self, name)
        return kept

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.cache = {}

    def squared(self):
        if "square" not in self.cache:
            total = 0
            for _ in range(self.n):
                total += self.n
            self.cache["square"] = total
        return self.cache["square"]


class Plain:
    def __init__(self):
        self.steps = 0

    def walk(self, n):
        for _ in range(n):
            self.steps += 1
        return self.steps


anything = Anything()
proxied = Proxy(Plain())
for i in range(SCALE):
    state = Stateful(i)
    print(anything.some.path.depth, anything.some is anything.some, sorted(vars(anything)))
    print(proxied.walk(i % 5), proxied.steps, state.squared(), state.squared())
    proxied.steps += state.n % 3
    for name in ("a", "b"):
        print(getattr(anything, name).depth, state.n)
    try:
        for _ in state:
            pass
    except TypeError as error:
        print(error)
