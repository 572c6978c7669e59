"""Flips of the first cards of a pack, in all of its orders: slices and integers in loops."""

from itertools import permutations

SIZE = 880_000


def flips(pack):
    count = 0
    first = pack[0]
    while first:
        pack[: first + 1] = pack[first::-1]
        first = pack[0]
        count += 1
    return count


def main(size):
    most = checksum = 0
    for number, order in enumerate(permutations(range(9, -1, -1))):
        if number == size:
            break
        count = flips(list(order))
        most = max(most, count)
        checksum += -count if number % 2 else count
    return most, checksum
