"""Stars in calls, displays and targets, with calls that take a while among the parts."""

SCALE = 13014


def gathered(*args, **named):
    total = 0
    for each in args:
        total += each if isinstance(each, int) else len(each)
    for name in named:
        total += named[name]
    return total


def upto(n):
    out = []
    for i in range(n):
        out.append(i)
    return out


def options(n):
    made = {}
    for i in range(n):
        made[f"k{i}"] = i
    return made


def only_positional(a, b, /, c, *, d=1, e):
    for _ in range(2):
        a += b
    return a, b, c, d, e


def main(n):
    it = iter(range(1000))
    print(gathered(next(it), *upto(n), next(it), *upto(2), **options(n), z=next(it)))
    print([*upto(n), next(it), *upto(2)], (*upto(2), gathered(1, 2)), {*upto(3), gathered(n)})
    print({**options(2), "own": gathered(*upto(n)), **options(1), "next": next(it)})
    first, *middle, last = upto(n + 2)
    print(first, middle, last)
    [a, [b, *c]], *d = [upto(1) + [upto(n + 1)], *upto(3)]
    print(a, b, c, d)
    print(only_positional(*upto(n + 3)[-2:], gathered(n), e=next(it), **{"d": gathered(next(it))}))
    for x, *rest in [upto(n + 1), upto(n + 2)]:
        print(x, rest, gathered(x, *rest))
    print(*upto(n), gathered(*upto(3)), sep=f"-{gathered(1)}-")


for n in range(SCALE):
    main(n % 7 + 1)
