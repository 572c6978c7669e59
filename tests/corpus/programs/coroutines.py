"""An async program: its coroutines are left as they are, and plain loops stand around them."""

import asyncio

SCALE = 1384


def plain(n):
    total = 0
    for i in range(n % 20):
        total += i
    return total


async def numbers(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield plain(i)


class Guard:
    async def __aenter__(self):
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *error):
        await asyncio.sleep(0)


async def summed(n):
    total = 0
    async with Guard():
        async for value in numbers(n):
            total += value
    return total + sum([x async for x in numbers(3)])


async def main(n):
    results = await asyncio.gather(*[summed(n + k) for k in range(3)])
    box = asyncio.Queue()

    async def produce():
        for i in range(n):
            await box.put(i)
        await box.put(None)

    task = asyncio.create_task(produce())
    while (value := await box.get()) is not None:
        results.append(plain(value))
    await task
    return results


for i in range(SCALE):
    print(i, asyncio.run(main(i % 6)))
    for k in range(3):
        print(k, plain(i + k))
