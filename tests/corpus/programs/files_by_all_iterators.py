"""Files read through next, enumerate, zip, map, islice and iter with a sentinel, with tell."""

# writes: lines.txt numbers.txt

import itertools

SCALE = 2160


def prepare(n):
    with open("lines.txt", "w") as lines, open("numbers.txt", "w", newline="\n") as numbers:
        for i in range(n):
            print(f"line {i} of {n}", "é" * (i % 3), file=lines)
            print(i * i, file=numbers)


def heads():
    with open("lines.txt", encoding="utf-8") as lines:
        print(next(lines).strip(), next(lines, None))
        for number, line in enumerate(lines, 2):
            for word in line.split()[-1:]:
                print(number, word)
            if number % 7 == 0:
                print("skipped", next(lines, "").strip())


def pairs():
    total = 0
    with open("lines.txt") as lines, open("numbers.txt") as numbers:
        for line, number in zip(lines, map(int, numbers)):
            total += len(line) + number
            for _ in range(2):
                total += 1
            print(total)
    return total


def told():
    with open("numbers.txt") as numbers:
        while line := numbers.readline():
            if numbers.tell() % 5 == 0:
                print(numbers.tell(), line.strip())
        numbers.seek(10)
        print(repr(numbers.read(5)))
    with open("numbers.txt", "rb") as raw:
        for block in iter(lambda: raw.read(64), b""):
            print(len(block), block[:4])
    lines = open("lines.txt")
    for text in iter(lines.readline, ""):
        for _ in range(2):
            size = len(text)
        if size > 20:
            print(size)
    lines.close()
    with open("lines.txt") as lines:
        for line in itertools.islice(lines, 2, None, 9):
            print(line.rstrip())


prepare(15 * SCALE)
heads()
print(pairs())
told()
