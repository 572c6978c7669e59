# expect: equal
"""A coroutine: awaits between the items, beside another task."""

import asyncio
import json

from ticks import tick

from resume import Checkpoint


async def fit(n):
    chp = Checkpoint(rate=0, fsync=False)
    total = []
    chp.restore()
    for i in chp.loop(range(n)):
        await asyncio.sleep(0)
        tick()
        total.append(i * 2)
    return total


async def main():
    other = asyncio.create_task(asyncio.sleep(0.001))
    total = await fit(6)
    await other
    return total


print(json.dumps(asyncio.run(main())))
