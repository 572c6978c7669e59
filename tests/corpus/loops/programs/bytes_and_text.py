# expect: equal
"""Large bytes, a bytearray changed in place, text that grows."""

import hashlib
import json

from ticks import tick

from resume import Checkpoint


def work():
    chp = Checkpoint(rate=0, fsync=False)
    fixed = bytes(range(256)) * 800
    page = bytearray(100_000)
    text = ""
    chp.restore()
    for i in chp.loop(range(4)):
        tick()
        page[i * 1000 : i * 1000 + 256] = fixed[:256]
        text += chr(960 + i) * 3
        digest = hashlib.sha256(page + fixed + text.encode()).hexdigest()
    return digest, text, len(page)


print(json.dumps(work()))
