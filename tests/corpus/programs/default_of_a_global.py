"""Defaults, decorators and conditional definitions that read names bound by statements above."""

SCALE = 7714
m = sum(i for i in range(5))


def shifted(a, end=m, *, k=m + 1):
    for i in range(3):
        a += end + k + i
    return a


def times(n):
    def decorate(function):
        def decorated(*args):
            total = 0
            for _ in range(n):
                total += function(*args)
            return total

        return decorated

    return decorate


@times(m // 3)
def grown(x):
    for i in range(2):
        x += i
    return x


try:
    import json as codec
except ImportError:
    codec = None

if m > 5:

    def chosen(x):
        total = 0
        for i in range(x):
            total += i
        return total

else:

    def chosen(x):
        return -x


class Sized:
    size = m * 2
    names = [f"n{i}" for i in range(size % 5)]

    def __init__(self, n=size):
        self.n = n
        for name in self.names:
            self.n += len(name)


for z in range(6 * SCALE):
    print(shifted(z), shifted(z, 1, k=2), grown(z), chosen(z % 9), codec.dumps([z]), Sized().n)
    m += 1
    Sized.size += 1
    if z == 3:
        shifted.__defaults__ = (7,)
        shifted.__kwdefaults__["k"] = 5
print(m, Sized.size, Sized(1).n)
