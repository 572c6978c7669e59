"""A program that ends by an error below some calls, after all its work."""

# exits: 1

SCALE = 5609


class Broken(Exception):
    def __str__(self):
        return f"broken at {self.args[0]}"


def work(n, limit):
    total = 0
    for i in range(n % 7):
        total += i * n
    if n == limit:
        raise Broken(n)
    return total


def main(limit):
    try:
        for n in range(limit * 2):
            print(n, work(n, limit) + work(n // 2, limit))
    finally:
        print("left")


main(40 * SCALE)
