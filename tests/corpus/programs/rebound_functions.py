"""Functions, methods and builtins that are replaced while they run or between two calls."""

SCALE = 5590


def step(n):
    global step
    total = 0
    for i in range(n % 4 + 2):
        total += i
        if i == 1:
            before, step = step, other
            for _ in range(2):
                total += 1
            if n % 2:
                step = before
    return total


def other(n):
    global step
    step = first
    for _ in range(2):
        n += 1
    return -n


first = step


class Machine:
    def on(self, n):
        for i in range(3):
            if i == 1:
                self.on = self.off
        return "on", n

    def off(self, n):
        for _ in range(2):
            n += 1
        del self.on
        return "off", n


def len(items):
    count = 100
    for _ in items:
        count += 1
    return count


def wrapped(function):
    def wrapper(*args):
        result = function(*args)
        for _ in range(1):
            result = ("wrapped", result)
        return result

    return wrapper


machine = Machine()
for i in range(SCALE):
    print(step(i), machine.on(i), len("abc"), step is first)
    if i % 7 == 3:
        Machine.off = wrapped(Machine.off) if i % 2 else Machine.off
        first = step = wrapped(first) if i < 20 else first
