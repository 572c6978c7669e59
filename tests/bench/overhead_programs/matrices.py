"""Matrices as lists of lists: products, a determinant, a transposed one."""

SIZE = 370


def product(left, right):
    columns = list(zip(*right))
    return [[sum(a * b for a, b in zip(row, column)) for column in columns] for row in left]


def product_in_loops(left, right):
    size = len(left)
    result = [[0] * size for _ in range(size)]
    for i in range(size):
        row, target = left[i], result[i]
        for k in range(size):
            factor, other = row[k], right[k]
            for j in range(size):
                target[j] += factor * other[j]
    return result


def determinant(rows):
    rows, value = [row[:] for row in rows], 1.0
    for at in range(len(rows)):
        pivot = max(range(at, len(rows)), key=lambda number: abs(rows[number][at]))
        if rows[pivot][at] == 0:
            return 0.0
        if pivot != at:
            rows[at], rows[pivot] = rows[pivot], rows[at]
            value = -value
        value *= rows[at][at]
        for below in range(at + 1, len(rows)):
            factor = rows[below][at] / rows[at][at]
            for column in range(at, len(rows)):
                rows[below][column] -= factor * rows[at][column]
    return value


def main(size):
    total = 0.0
    for number in range(size):
        left = [[(i * i * 7 + j * 3 + i * j * number) % 31 for j in range(30)] for i in range(30)]
        right = [[(i * 5 + j * j * 2 + i * j * number) % 37 for j in range(30)] for i in range(30)]
        both = product(left, right)
        assert both == product_in_loops(left, right)
        total += determinant([row[:12] for row in both[:12]]) % 1000
    return round(total, 3)
