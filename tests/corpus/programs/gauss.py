"""Linear systems by Gauss with fractions and with floats; singular ones raise and are told."""

from fractions import Fraction

SCALE = 947


class Singular(ArithmeticError):
    def __init__(self, column):
        super().__init__(f"no pivot in column {column}")


def solve(matrix, right, number):
    rows = [[number(x) for x in row] + [number(y)] for row, y in zip(matrix, right)]
    n = len(rows)
    for column in range(n):
        pivot = max(range(column, n), key=lambda r: abs(rows[r][column]))
        if rows[pivot][column] == 0:
            raise Singular(column)
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for r in range(column + 1, n):
            factor = rows[r][column] / rows[column][column]
            for c in range(column, n + 1):
                rows[r][c] -= factor * rows[column][c]
    out = [number(0)] * n
    for r in reversed(range(n)):
        out[r] = (rows[r][n] - sum(rows[r][c] * out[c] for c in range(r + 1, n))) / rows[r][r]
    return out


def matrix_of(n, seed):
    return [[(i * j + seed * (i + 1) + j * j) % 7 - 2 for j in range(n)] for i in range(n)]


solved = 0
for seed in range(4 * SCALE):
    n = seed % 4 + 2
    matrix, right = matrix_of(n, seed), list(range(n))
    try:
        exact = solve(matrix, right, Fraction)
        near = solve(matrix, right, float)
    except Singular as error:
        print(seed, n, error)
        continue
    else:
        solved += 1
    check = [sum(a * x for a, x in zip(row, exact)) == y for row, y in zip(matrix, right)]
    print(seed, n, *exact, all(check), all(abs(a - b) < 1e-6 for a, b in zip(exact, near)))
print(solved)
