"""Powers of matrices in lists of lists, by squaring."""

SCALE = 1027


def product(a, b):
    n = len(a)
    c = [[0] * n for _ in range(n)]
    for i in range(n):
        for j in range(n):
            for k in range(n):
                c[i][j] += a[i][k] * b[k][j]
    return c


def power(a, exponent):
    n = len(a)
    result = [[int(i == j) for j in range(n)] for i in range(n)]
    while exponent:
        if exponent & 1:
            result = product(result, a)
        a = product(a, a)
        exponent >>= 1
    return result


for exponent in range(6 * SCALE):
    print(power([[1, 1], [1, 0]], exponent))
    print(power([[1, 2, 0], [0, 1, 3], [1, 0, 1]], exponent % 20))
