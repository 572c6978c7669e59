"""A tour shortened by simulated annealing, then a genetic algorithm, both drawing random numbers."""

import math
import random

SCALE = 750


def length(tour, places):
    total = 0.0
    for a, b in zip(tour, tour[1:] + tour[:1]):
        total += math.dist(places[a], places[b])
    return total


def anneal(places, steps, rng):
    tour = list(range(len(places)))
    best, heat = length(tour, places), 1.0
    now = best
    for step in range(steps):
        i, j = sorted(rng.sample(range(len(tour)), 2))
        new = tour[:i] + tour[i:j][::-1] + tour[j:]
        size = length(new, places)
        if size < now or rng.random() < math.exp((now - size) / heat):
            tour, now = new, size
            best = min(best, now)
        heat *= 0.98
        if step % 25 == 0:
            print(step, round(now, 6), round(best, 6))
    return tour


def evolve(target, rng):
    letters = "abcdefghijklmnopqrstuvwxyz "

    def fitness(word):
        return sum(a == b for a, b in zip(word, target))

    people = ["".join(rng.choices(letters, k=len(target))) for _ in range(12)]
    for generation in range(12):
        people.sort(key=fitness, reverse=True)
        print(generation, people[0], fitness(people[0]))
        if people[0] == target:
            break
        children = []
        while len(children) < 8:
            a, b = rng.sample(people[:5], 2)
            cut = rng.randrange(len(target))
            child = list(a[:cut] + b[cut:])
            child[rng.randrange(len(child))] = rng.choice(letters)
            children.append("".join(child))
        people[4:] = children


random.seed(5)
for round_ in range(SCALE):
    rng = random.Random(round_)
    places = [(rng.random(), rng.random()) for _ in range(9)]
    print(anneal(places, 60, random))
    evolve("sea shell"[: round_ % 9 + 1], rng)
