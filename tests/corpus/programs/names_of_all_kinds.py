"""Private names, names that shadow globals and functions, unbound ones, and what locals() shows."""

SCALE = 11407
value = "global"
count = 0


class _Under:
    __shared = 0

    def __init__(self, __start):
        self.__value = __start

    def __step(self, n):
        for _ in range(n):
            self.__value += 1
            _Under.__shared += 1
        return self.__value

    def run(self, n):
        __local = [self.__step(i) for i in range(n)]
        return __local, self.__shared, sorted(vars(self))


class __Twice(_Under):
    def run(self, n):
        return super().run(n), self._Under__value


def same(n):
    def same(n):
        if n == 0:
            return [0]
        out = [n]
        for i in range(1):
            out += same(n - 1)
        return out

    return same(n)


def unbound(n):
    seen = []
    for i in range(3):
        try:
            seen.append(value)
        except UnboundLocalError as error:
            seen.append(error.name)
        if i == n % 3:
            value = i
    return seen


def shows(n):
    total = 0
    for i in range(n):
        total += i
        inner = {name: v for name, v in locals().items() if name != "inner"}
    with open(__file__) as source:
        first = [len(line) > 0 for line in source][:1]
    return sorted(locals()), total, first, sorted(inner.items()) if n else None


def run(n):
    global count
    count += n
    for _ in range(2):
        count += 1
    return {"count": count, "names": [k for k in globals() if k.startswith("_") and k[1] != "_"]}


for i in range(SCALE):
    under, twice = _Under(i), __Twice(i)
    print(under.run(i % 4), twice.run(i % 3))
    print(same(i % 5), unbound(i), shows(i % 4), run(i))
    print([name for name in dir() if not name.startswith("__")][:3])
