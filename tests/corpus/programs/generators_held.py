"""Generators that live on in lists, dicts, attributes and closures while others run."""

SCALE = 90


def ramp(start, step):
    n = start
    while True:
        for _ in range(2):
            n += step
        yield n


def limited(source, n):
    for i, value in enumerate(source):
        if i >= n:
            return "done"
        yield value


class Device:
    def __init__(self, name, rate):
        self.name = name
        self.signal = ramp(len(name), rate)
        self.past = []

    def read(self):
        self.past.append(next(self.signal))
        for old in self.past[-3:]:
            self.past[-1] += old % 2
        return self.past[-1]


def reader(source):
    def read(k):
        total = 0
        for _ in range(k):
            total += next(source)
        return total

    return read


devices = {name: Device(name, rate) for rate, name in enumerate(["one", "three", "fourth"])}
queue = [limited(ramp(i, 1), i + 2) for i in range(4 * SCALE)]
read = reader(ramp(0, 3))
turn = 0
while queue:
    current = queue.pop(0)
    turn += 1
    try:
        print(turn, next(current), [device.read() for device in devices.values()])
    except StopIteration as end:
        print(turn, end.value, read(turn % 4))
    else:
        queue.append(current)
        if turn % 5 == 0:
            for value in current:
                print("drained", value)
                if value % 3 == 0:
                    break
print(read(3), sorted(devices))
