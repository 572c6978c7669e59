"""A program that leaves by sys.exit with a status of its own, from below, through a finally."""

# exits: 3

import atexit
import sys

SCALE = 171


@atexit.register
def last():
    print("at exit")


def check(n):
    score = 0
    for i in range(1, n):
        if n % i == 0:
            score += i
    return score


def main():
    perfect = 0
    try:
        for n in range(2, 30 * SCALE):
            if check(n) == n:
                perfect += 1
                print("perfect", n)
            elif n % 50 == 0:
                print("at", n)
        if perfect:
            sys.exit(3)
    finally:
        print("found", perfect)


if __name__ == "__main__":
    main()
