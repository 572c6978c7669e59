"""A scheduler of tasks that are generators: they sleep, spawn others and pass messages."""

import heapq
from collections import deque

SCALE = 4068


class Kernel:
    def __init__(self):
        self.ready = deque()
        self.sleeping = []
        self.boxes = {}
        self.now = 0
        self.serial = 0

    def spawn(self, name, task):
        self.ready.append((name, task, None))

    def step(self):
        name, task, value = self.ready.popleft()
        try:
            request, *rest = task.send(value)
        except StopIteration as end:
            print(self.now, name, "ends with", end.value)
            return
        match request:
            case "sleep":
                self.serial += 1
                heapq.heappush(self.sleeping, (self.now + rest[0], self.serial, name, task))
            case "spawn":
                self.spawn(*rest)
                self.ready.append((name, task, len(self.ready)))
            case "put":
                box, message = rest
                self.boxes.setdefault(box, deque()).append(message)
                self.ready.append((name, task, None))
            case "get":
                box = self.boxes.get(rest[0])
                self.ready.append((name, task, box.popleft() if box else None))

    def run(self):
        while self.ready or self.sleeping:
            while self.ready:
                self.step()
            if self.sleeping:
                self.now, _, name, task = heapq.heappop(self.sleeping)
                self.ready.append((name, task, None))
        return self.now


def worker(name, jobs):
    done = 0
    for k in range(jobs):
        yield "sleep", (k * 7 + len(name)) % 5 + 1
        message = yield "get", "jobs"
        if message is not None:
            for _ in range(message % 4):
                done += 1
            yield from report(name, message)
    return done


def report(name, message):
    yield "put", "log", (name, message)


def boss(jobs):
    for k in range(jobs):
        yield "put", "jobs", k
        if k % 10 == 0:
            waiting = yield "spawn", f"w{k}", worker(f"w{k}", 12)
            print("waiting", waiting)
        yield "sleep", 1
    return "all given"


kernel = Kernel()
kernel.spawn("boss", boss(20 * SCALE))
print(kernel.run())
for entry in kernel.boxes["log"]:
    print(entry)
