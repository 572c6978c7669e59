"""Threads, a pool, a queue and locks: what they do is whole before the loop goes on."""

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

SCALE = 600


def work(n):
    total = 0
    for i in range(n % 50):
        total += i * n
    return total


def threaded(n):
    results = [None] * n
    lock = threading.Lock()

    def fill(i):
        value = work(i)
        with lock:
            results[i] = value

    threads = [threading.Thread(target=fill, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def produced(n):
    box, out = queue.Queue(), []

    def produce():
        for i in range(n):
            box.put(work(i))
        box.put(None)

    thread = threading.Thread(target=produce)
    thread.start()
    while (value := box.get()) is not None:
        out.append(value)
    thread.join()
    return out


for i in range(SCALE):
    print(i, threaded(i % 3 + 1), produced(i % 5))
    with ThreadPoolExecutor(2) as pool:
        print(list(pool.map(work, range(i, i + 3))), pool.submit(work, i).result())
    total = 0
    for k in range(5):
        total += work(k)
    print(total)
