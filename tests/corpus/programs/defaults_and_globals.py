"""All kinds of parameters, defaults that are changed, names deleted, globals rebound."""

SCALE = 10285
N = 0


def added(a, b=2, *args, c=3, d, **named):
    global N
    for x in (a, b, *args, c, d, *named.values()):
        N += x
    return N


def collected(x, items=[]):
    for i in range(2):
        items.append(x + i)
    return len(items), items[-4:]


def deleted():
    x = 1
    for i in range(3):
        y = i
        del y
        try:
            y
        except NameError:
            x += 1
    del x
    try:
        return x
    except UnboundLocalError as error:
        return str(error)[:20]


for i in range(5 * SCALE):
    print(added(i, 1, 7, 8, d=4, z=9), added(i, d=1), collected(i), deleted())
del N
print("N" in globals())
