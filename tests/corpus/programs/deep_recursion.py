"""Ackermann, whose argument is a call of itself, and the towers of Hanoi."""

SCALE = 3999


def ackermann(m, n):
    if m == 0:
        return n + 1
    if n == 0:
        return ackermann(m - 1, 1)
    return ackermann(m - 1, ackermann(m, n - 1))


moves = []


def hanoi(n, a, b, c):
    if n:
        hanoi(n - 1, a, c, b)
        moves.append((a, c))
        hanoi(n - 1, b, a, c)


for round_ in range(SCALE):
    print(ackermann(2, round_ % 9))
    hanoi(5, "A", "B", "C")
    for i, move in enumerate(moves):
        print(i, *move)
    moves.clear()
