"""Rows written by csv, read while a second table is written, summed by groups, and reported."""

# writes: sales.csv totals.csv report.txt

import csv
from collections import defaultdict

SCALE = 2160
CITIES = ["Oslo", 'New "York"', "Rio, south", "Bern"]


def write(n):
    with open("sales.csv", "w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["city", "day", "amount"])
        for i in range(n):
            rows.writerow([CITIES[i * i % 4], i % 31, i * 17 % 101 / 4])


def read():
    totals = defaultdict(lambda: defaultdict(float))
    with open("sales.csv", newline="") as table:
        reader = csv.DictReader(table)
        for row in reader:
            for key in ("city", "day"):
                totals[key][row[key]] += float(row["amount"])
            if reader.line_num % 25 == 0:
                print(reader.line_num, row["city"])
    return totals


def copied(totals):
    with open("sales.csv", newline="") as table, open("totals.csv", "w", newline="") as out:
        source, target = csv.reader(table), csv.writer(out, delimiter=";")
        target.writerow([*next(source), "share"])
        for row in source:
            share = float(row[2]) / totals["city"][row[0]]
            for _ in range(2):
                share = round(share, 4)
            target.writerow([*row, share])
            if int(row[1]) == 30:
                out.flush()
                print(row, share)


def report(totals):
    with open("report.txt", "w") as out:
        for name, group in sorted(totals.items()):
            out.write(f"{name:=^40}\n")
            for key, total in sorted(group.items(), key=lambda pair: (-pair[1], pair[0])):
                out.write(f"{key:<20}{total:>20,.2f}\n")
    with open("report.txt") as lines:
        for line in lines:
            print(line, end="")


write(30 * SCALE)
totals = read()
copied(totals)
report(totals)
