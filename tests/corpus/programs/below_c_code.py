"""Code that runs below C code, in other threads, in coroutines and class bodies, and is waited for."""

import asyncio
import concurrent.futures
import functools

SCALE = 259
log = []


def work(n):
    total = 0
    for i in range(n % 5 + 1):
        total += i * n
    return total


class Value:
    def __init__(self, x):
        self.x = x

    def __lt__(self, other):
        for _ in range(2):
            pass  # how often it is asked is the interpreter's matter
        return self.x < other.x

    def __getattr__(self, name):
        for _ in range(2):
            pass
        if name.startswith("__"):
            raise AttributeError(name)
        return name

    @property
    def works(self):
        return [work(i) for i in range(2)]

    def __iter__(self):
        return iter([work(k) for k in range(3)])

    def __enter__(self):
        for _ in range(2):
            log.append("enter")
        return self

    def __exit__(self, *error):
        for _ in range(2):
            log.append("exit")


async def coroutine(n):
    total = 0
    for i in range(n):
        total += work(i)
        await asyncio.sleep(0)
    return total


def with_finally(n):
    try:
        for i in range(n):
            log.append(i)
        return n
    finally:
        for j in range(3):
            log.append(("finally", j))


def main():
    print(sorted(range(10), key=work), list(map(work, range(5))))
    print(max(range(6), key=lambda v: -work(v)))
    print([v.x for v in sorted([Value(3), Value(1), Value(2)])])
    print(Value(1).zzz, Value(2).works, [a for a in Value(1)])
    with Value(5) as value:
        for i in range(3):
            log.append((i, value.x))
    print(asyncio.run(coroutine(5)), with_finally(3))
    print(functools.reduce(lambda a, b: a + work(b), range(6)))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        print(list(pool.map(work, range(6))))
    exec("for q in range(3): log.append(('exec', q))")

    class Local:
        works = [work(i) for i in range(3)]
        for z in range(3):
            pass

        def again(self):
            return [work(i) for i in self.works]

    result = Local().again()
    del Local
    for i in range(5):
        log.append(work(i))
    return result


for _ in range(SCALE):
    print(main())
    for entry in log:
        print(entry)
    log.clear()
