"""A small operating system: tasks of several classes with queues of packets, and methods."""

SIZE = 16_000


class Packet:
    def __init__(self, kind, data):
        self.kind = kind
        self.data = data
        self.hops = 0


class Task:
    def __init__(self, system, name):
        self.system = system
        self.name = name
        self.waiting = []
        self.runs = 0

    def take(self, packet):
        self.waiting.append(packet)

    def is_ready(self):
        return bool(self.waiting)

    def run(self):
        self.runs += 1
        packet = self.waiting.pop(0)
        packet.hops += 1
        self.work(packet)

    def work(self, packet):
        raise NotImplementedError


class Idle(Task):
    def __init__(self, system, name, count):
        super().__init__(system, name)
        self.count = count
        self.control = 1

    def is_ready(self):
        return self.count > 0

    def run(self):
        self.runs += 1
        self.count -= 1
        if self.control & 1:
            self.control = (self.control >> 1) ^ 0xD008
            self.system.send("worker", Packet("work", self.count))
        else:
            self.control >>= 1
            self.system.send("device", Packet("device", self.count))


class Worker(Task):
    def work(self, packet):
        packet.data = sum((packet.data + step) % 26 for step in range(4))
        self.system.send("handler", packet)


class Handler(Task):
    def __init__(self, system, name):
        super().__init__(system, name)
        self.seen = {}

    def work(self, packet):
        self.seen[packet.kind] = self.seen.get(packet.kind, 0) + packet.data
        if packet.hops < 4:
            self.system.send("device" if packet.kind == "work" else "worker", packet)


class Device(Task):
    def work(self, packet):
        if packet.data % 3 == 0:
            packet.data += 1
        self.system.send("handler", packet)


class System:
    def __init__(self, count):
        self.tasks = {}
        self.add(Idle(self, "idle", count))
        self.add(Worker(self, "worker"))
        self.add(Handler(self, "handler"))
        self.add(Device(self, "device"))

    def add(self, task):
        self.tasks[task.name] = task

    def send(self, name, packet):
        self.tasks[name].take(packet)

    def schedule(self):
        busy = True
        while busy:
            busy = False
            for task in self.tasks.values():
                while task.is_ready():
                    task.run()
                    busy = True


def main(size):
    total = 0
    for number in range(size):
        system = System(20 + number % 10)
        system.schedule()
        total += system.tasks["handler"].seen["work"]
    return total
