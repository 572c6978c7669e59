"""Send, throw, close and return values, through delegation, with handlers inside."""

SCALE = 10799


def averager():
    total, count, average = 0.0, 0, None
    while True:
        try:
            value = yield average
        except ZeroDivisionError:
            for _ in range(2):
                count += 1
            average = None
            continue
        if value is None:
            return round(total, 3), count
        for _ in range(2):
            total += value / 2
        count += 1
        average = round(total / count, 3)


def collected(results):
    while True:
        results.append((yield from averager()))


def guarded(trail):
    try:
        for i in range(10):
            try:
                yield i
            except KeyError as error:
                for k in range(2):
                    trail.append((i, k, str(error)))
                yield "handled"
    except GeneratorExit:
        for k in range(2):
            trail.append(("closing", k))
        raise
    finally:
        trail.append("over")


def main(n):
    results = []
    group = collected(results)
    next(group)
    for i in range(n):
        print(group.send(i * 1.5))
        if i % 4 == 3:
            print("thrown", group.throw(ZeroDivisionError))
        if i % 6 == 5:
            group.send(None)
    group.close()
    print(results)
    trail = []
    source = guarded(trail)
    for value in source:
        for k in range(2):
            trail.append((value, k))
        if value == 3:
            print(source.throw(KeyError("three")))
        if value == 5:
            source.close()
    print(trail)


for n in range(SCALE):
    main(n % 20 + 3)
