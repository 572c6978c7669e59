"""Squares."""

from shapes import Shape, areas


def make(size):
    return Shape("square", size)


areas["square"] = lambda shape: [shape.size for _ in range(shape.size)]
