"""What is there."""

from contextlib import contextmanager

from .counting import Short, taken


class Stock:
    def __init__(self):
        self.items = {}

    def add(self, name, n):
        for _ in range(2):
            self.items[name] = self.items.get(name, 0) + n // 2

    @contextmanager
    def reserve(self):
        before = dict(self.items)
        try:
            yield lambda name, n: taken(self, name, n)
        except Short:
            self.items = before
            raise
