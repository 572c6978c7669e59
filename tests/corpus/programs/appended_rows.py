"""A table that gets a row in each round, a summary that replaces the one before, files that move."""

# writes: rows.csv summary.json moved/job0.txt moved/job1.txt

import csv
import json
import os
from pathlib import Path

SCALE = 1500
SUMMARY = Path("summary.json")


def add_row(n, value):
    with open("rows.csv", "a", newline="") as table:
        csv.writer(table).writerow([n, value])


def summed(value):
    """What was read is written anew, in one step."""
    known = json.loads(SUMMARY.read_text()) if SUMMARY.exists() else {"count": 0, "total": 0}
    known["count"] += 1
    known["total"] += value
    scratch = SUMMARY.with_suffix(".new")
    scratch.write_text(json.dumps(known))
    os.replace(scratch, SUMMARY)
    return known


def move(n):
    """A job is made, and waits in a folder until it is moved."""
    if n % 2 == 0:
        os.makedirs(f"jobs/{n}")
        Path(f"jobs/{n}/job.txt").write_text(f"job {n}")
    else:
        Path("moved").mkdir(exist_ok=True)
        os.rename(f"jobs/{n - 1}/job.txt", f"moved/job{n % 4 // 2}.txt")
        os.rmdir(f"jobs/{n - 1}")


value = 1
for n in range(4 * SCALE):
    value = value * 69_069 % 65_537
    add_row(n, value)
    known = summed(value)
    move(n)
    if n % 1000 == 999:
        with open("rows.csv") as table:
            print(n, value, known, sum(1 for _ in table), sorted(os.listdir("moved")))
os.rmdir("jobs")
