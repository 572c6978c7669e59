# expect: equal
"""A block inside a coroutine, with `async for` work inside an item."""

import asyncio
import json

from ticks import tick

from resume import Checkpoint


async def countdown(n):
    while n:
        yield n
        n -= 1


async def main():
    with Checkpoint("block", rate=0, fsync=False) as chp:
        out = []
        for i in chp.loop(range(4)):
            async for x in countdown(i):
                tick()
                out.append((i, x))
    return out


print(json.dumps(asyncio.run(main())))
