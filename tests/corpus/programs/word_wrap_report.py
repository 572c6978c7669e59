"""A text report: words wrapped, justified and centred, tables aligned, a calendar, a histogram."""

# writes: report.txt

import calendar
import textwrap

SCALE = 3201
TEXT = """It was a bright cold day in spring, and the clocks of the town were striking
one after the other, none of them at the same time, as if each had its own idea of it."""


def wrapped(words, width):
    line = []
    for word in words:
        if sum(map(len, line)) + len(line) + len(word) > width:
            yield line
            line = []
        line.append(word)
    if line:
        yield line


def justified(line, width):
    if len(line) == 1:
        return line[0].ljust(width)
    space = width - sum(map(len, line))
    gaps, out = len(line) - 1, ""
    for i, word in enumerate(line[:-1]):
        out += word + " " * (space // gaps + (i < space % gaps))
    return out + line[-1]


def table(rows):
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows)]
    for row in rows:
        cells = []
        for cell, width in zip(row, widths):
            cells.append(f"{cell:>{width}}" if isinstance(cell, int) else f"{cell:<{width}}")
        yield " | ".join(cells)


def section(out, number):
    width = 30 + number % 20
    print(f" {number} ".center(width, "="), file=out)
    for line in wrapped(TEXT.split(), width):
        print(justified(line, width), file=out)
    count = {}
    for letter in TEXT.lower():
        if letter.isalpha():
            count[letter] = count.get(letter, 0) + 1
    rows = [(c, n, "*" * n) for c, n in sorted(count.items(), key=lambda p: (-p[1], p[0]))[:4]]
    for line in table([("letter", "times", "bar"), *rows]):
        print(line, file=out)
    print(calendar.month(2020 + number % 5, number % 12 + 1), file=out)
    print(textwrap.indent(textwrap.fill(TEXT, width), "> "), file=out)


with open("report.txt", "w") as out:
    for number in range(SCALE):
        section(out, number)
        print(number, out.tell())
with open("report.txt") as report:
    for number, line in enumerate(report):
        if line.startswith("="):
            print(number, line.strip("= \n"))
