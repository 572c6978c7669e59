"""Decorators that keep a state in a cell, in an attribute, in a dict, and lru_cache."""

import functools

SCALE = 1476
calls = {"n": 0}


def counted(function):
    hits = 0

    @functools.wraps(function)
    def wrapper(*args, **named):
        nonlocal hits
        hits += 1
        calls["n"] += 1
        result = function(*args, **named)
        wrapper.hits = hits
        return result

    return wrapper


def remembered(function):
    cache = {}

    def inner(n):
        if n not in cache:
            cache[n] = function(n)
        return cache[n]

    return inner


@counted
def triangle(n):
    total = 0
    for i in range(n):
        total += i
    return total


@remembered
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@functools.lru_cache(None)
def chain(n):
    total = 0
    for i in range(2):
        total += i
    return total + (chain(n - 1) if n else 0)


for i in range(6 * SCALE):
    print(triangle(i), triangle.hits, calls["n"], fib(i + 4), chain(i))
print(chain.cache_info())
