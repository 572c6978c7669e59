"""Circles."""

import shapes


def make(size):
    return shapes.Shape("circle", size)


def parts(shape):
    for r in range(shape.size):
        yield 3 * r * r


shapes.areas["circle"] = parts
