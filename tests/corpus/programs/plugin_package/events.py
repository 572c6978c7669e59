"""Listeners by name."""

from collections import Counter, defaultdict

listeners = defaultdict(list)
counts = Counter()


def on(name):
    def listen(function):
        listeners[name].append(function)
        return function

    return listen


def fire(name, **given):
    counts[name] += 1
    results = []
    for listener in listeners[name]:
        results.append(listener(**given))
    return results
