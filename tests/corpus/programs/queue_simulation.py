"""A queue simulated by events on a heap; the class counts its instances."""

import heapq
import random

SCALE = 3000


class Event:
    made = 0

    def __init__(self, time, kind):
        self.time, self.kind = time, kind
        Event.made += 1
        self.number = Event.made

    def __lt__(self, other):
        return (self.time, self.number) < (other.time, other.number)


def simulate(rng, horizon):
    queue, now, waiting, served, busy = [Event(0, "arrive")], 0.0, [], 0, False
    while queue:
        event = heapq.heappop(queue)
        now = event.time
        if now > horizon:
            break
        if event.kind == "arrive":
            waiting.append(event)
            heapq.heappush(queue, Event(now + rng.expovariate(1), "arrive"))
        else:
            busy = False
            served += 1
        if waiting and not busy:
            busy = True
            waiting.pop(0)
            heapq.heappush(queue, Event(now + rng.expovariate(1.2), "done"))
    return served, len(waiting), round(now, 6)


rng = random.Random(4)
results = []
for repetition in range(4 * SCALE):
    results.append(simulate(rng, 15))
    print(repetition, results[-1], Event.made)
