"""Work in finally blocks, returns that they override, and loops left through them."""

SCALE = 35999
trail = []


def work(n):
    total = 0
    for i in range(n % 4 + 1):
        total += i
    trail.append(total)
    return total


def returns(n):
    try:
        return work(n)
    finally:
        for i in range(2):
            work(n + i)


def overrides(n):
    for i in range(3):
        try:
            work(i)
            if i == n % 3:
                return "inner"
        finally:
            if n % 2:
                return "outer"
    return "end"


def leaves(n):
    for i in range(4):
        try:
            if i == n % 5:
                break
            if i % 2:
                continue
            work(i)
        finally:
            work(n)
            trail.append(("finally", i))
    else:
        trail.append("else")
    return len(trail)


def nests(n):
    try:
        try:
            work(n)
            if n % 3 == 0:
                raise ValueError(n)
        finally:
            try:
                work(1)
                if n % 2 == 0:
                    raise KeyError(n)
            except KeyError as error:
                work(2)
                trail.append(repr(error))
            finally:
                work(3)
    except ValueError as error:
        trail.append((repr(error), repr(error.__context__)))
        work(4)
    finally:
        trail.append("last")


for n in range(SCALE):
    print(n, returns(n), overrides(n), leaves(n))
    nests(n)
    print(trail)
    trail.clear()
