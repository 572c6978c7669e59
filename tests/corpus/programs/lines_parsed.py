"""Lines written, parsed by a pattern while they are read, and written as JSON."""

# writes: table.csv rows.json

import json
import re

SCALE = 1440


def write(lines):
    with open("table.csv", "w") as out:
        for i in range(lines):
            out.write(f"id{i},{i * i},{'x' * (i % 3)}\n")


def parse():
    rows, pattern = [], re.compile(r"id(\d+),(\d+),(x*)")
    with open("table.csv") as lines:
        for n, line in enumerate(lines):
            match = pattern.match(line)
            for group in match.groups():
                rows.append(group)
            if match.group(3) == "xx":
                continue
            rows.append(n)
    return rows


write(12 * SCALE)
rows = parse()
with open("rows.json", "w") as out:
    for row in rows:
        json.dump(row, out)
        out.write("\n")
        print(row)
print(len(rows))
