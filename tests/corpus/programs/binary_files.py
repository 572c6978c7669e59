"""Records written with struct, seeked and changed in place, compressed, and hashed block by block."""

# writes: records.bin packed.gz

import gzip
import hashlib
import os
import struct
import zlib

SCALE = 1058
RECORD = struct.Struct("<IHd6s")


def write(path, n):
    with open(path, "wb") as out:
        for i in range(n):
            out.write(RECORD.pack(i, i * 7 % 1000, i / 3, f"n{i}".encode()))
    return os.path.getsize(path)


def change(path, every):
    changed = 0
    with open(path, "r+b") as both:
        position = 0
        while block := both.read(RECORD.size):
            number, small, value, name = RECORD.unpack(block)
            if number % every == 0:
                both.seek(position)
                both.write(RECORD.pack(number, small + 1, -value, name[::-1]))
                both.seek(position + RECORD.size)
                changed += 1
            position += RECORD.size
            for _ in range(2):
                changed += 0
    return changed


def digest(path):
    total, crc = hashlib.sha256(), 0
    with open(path, "rb") as source:
        for block in iter(lambda: source.read(100), b""):
            total.update(block)
            crc = zlib.crc32(block, crc)
    return total.hexdigest()[:16], crc


def compress(path):
    with open(path, "rb") as source, open("packed.gz", "wb") as raw:
        with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as out:
            for block in iter(lambda: source.read(64), b""):
                out.write(block)
    with gzip.open("packed.gz") as packed:
        return len(packed.read())


for round_ in range(SCALE):
    print(write("records.bin", 20 + round_ % 10), digest("records.bin"))
    print(change("records.bin", round_ % 4 + 2), digest("records.bin"))
    print(compress("records.bin"))
