"""All the work is done by one function that C code calls: there is no place to save in."""

# postponed: C code runs below the only statement

SCALE = 6750


def work(n):
    total = 0
    for i in range(n % 30):
        total += i
    print(n, total)
    return total


results = list(map(work, range(30 * SCALE)))
