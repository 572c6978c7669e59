"""Spectral norm of an endless matrix: a tiny function called from generator expressions."""

from math import sqrt

SIZE = 112


def entry(i, j):
    return 1.0 / ((i + j) * (i + j + 1) // 2 + i + 1)


def times(vector):
    return [sum(entry(i, j) * value for j, value in enumerate(vector)) for i in range(len(vector))]


def times_transposed(vector):
    return [sum(entry(j, i) * value for j, value in enumerate(vector)) for i in range(len(vector))]


def both(vector):
    return times_transposed(times(vector))


def main(size):
    rounds = []
    for _ in range(size):
        u = [1.0] * 60
        for _ in range(5):
            v = both(u)
            u = both(v)
        rounds.append(sqrt(sum(a * b for a, b in zip(u, v)) / sum(b * b for b in v)))
    return round(sum(rounds), 9)
