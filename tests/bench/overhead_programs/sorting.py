"""Records sorted by keys, found by bisection, merged by hand: functions below C code."""

from bisect import bisect_left

SIZE = 230


def records(seed, count):
    made = []
    for number in range(count):
        seed = (seed * 69069 + 1) % 4294967296
        made.append((f"n{seed % 500:03}", seed // 1024 % 1000, number))
    return made


def rank(record):
    name, weight, number = record
    return -weight, name, number


def merged(left, right):
    result, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            result.append(left[i])
            i += 1
        else:
            result.append(right[j])
            j += 1
    return result + left[i:] + right[j:]


def merge_sorted(items):
    if len(items) < 2:
        return items
    middle = len(items) // 2
    return merged(merge_sorted(items[:middle]), merge_sorted(items[middle:]))


def main(size):
    total = 0
    for number in range(size):
        table = records(number, 1_500)
        by_rank = sorted(table, key=rank)
        by_name = sorted(table, key=lambda record: (record[0], record[2]))
        table.sort(key=lambda record: record[1])
        weights = [weight for _, weight, _ in table]
        total += bisect_left(weights, 500) + by_rank[0][1] + by_name[-1][2]
        assert merge_sorted(table) == sorted(table)
    return total
