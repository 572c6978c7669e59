"""Finalizers, weak references and closed generators: objects end when they do in plain Python."""

# lifetimes: it prints when objects end

import gc
import sys
import weakref

SCALE = 8999
gc.disable()


class Loud:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print("end of", self.name)

    def used(self, n):
        for _ in range(2):
            n += 1
        return n


def work(n):
    total = 0
    for i in range(n % 5 + 1):
        total += i
    return total


def closed():
    try:
        for i in range(4):
            yield work(i)
    finally:
        print("generator closed")


def temporary(n):
    print(Loud("first").used(work(n)) + Loud("second").used(1))
    for x in [Loud("item"), Loud("other")]:
        print(x.used(n))
    del x
    print("behind the loop")


def handled(n):
    try:
        held = Loud("held")
        work(n)
        raise ValueError(held)
    except ValueError as error:
        del held
        print(work(n), error.args[0].name)
    print("behind the handler")


def weak(n):
    target = Loud("target")
    reference = weakref.ref(target)
    table = weakref.WeakValueDictionary(target=target)
    for i in range(2):
        work(i)
        print(reference() is target, len(table), sys.getrefcount(target))
        if i:
            target = None
            break
    print(reference(), len(table), n)


for i in range(SCALE):
    temporary(i)
    handled(i)
    weak(i)
    for k, _ in enumerate(closed()):
        if k == 2:
            break
    print("left")
    total = [Loud(f"element {i}").used(k) for k in range(2)]
    print(total)
