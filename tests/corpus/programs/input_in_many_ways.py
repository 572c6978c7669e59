"""Standard input by `input`, by lines, by csv, and by characters, in one program."""

# stdin: name size\n3 4\n5 6\nä,1\nö,2\n"two\nlines",3\n\nwords that are left\nfor the loop\nto read\n0123456789\nlast\nend

import csv
import sys

SCALE = 600


def work(rounds, seed):
    for _ in range(rounds):
        seed = (seed * 1103515245 + 12345) % 2147483648
    return seed


def numbers():
    while True:
        yield [int(part) for part in input().split()]


def main(rounds):
    print(input(), work(rounds, 1))
    source = numbers()
    first = next(source)
    print(first, work(rounds, 2))
    print(next(source), work(rounds, 3))
    for row in csv.reader(sys.stdin):
        print(row, work(rounds, 4))
        if not row:
            break
    print(repr(sys.stdin.read(6)), work(rounds, 5))
    for line in sys.stdin:
        print(repr(line), work(rounds, 6))
        if line.startswith("to"):
            break
    print(sys.stdin.readlines(), work(rounds, 7))
    print(repr(sys.stdin.read()), work(rounds, 8))
    try:
        input()
    except EOFError as error:
        print(error, work(rounds, 9))


main(40 * SCALE)
