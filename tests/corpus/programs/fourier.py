"""The fast Fourier transform by recursion, long multiplication through it, and Mandelbrot rows."""

import cmath

SCALE = 1124


def transform(values, sign=1):
    n = len(values)
    if n == 1:
        return values
    even, odd = transform(values[::2], sign), transform(values[1::2], sign)
    out = [0] * n
    for k in range(n // 2):
        turned = cmath.exp(sign * 2j * cmath.pi * k / n) * odd[k]
        out[k], out[k + n // 2] = even[k] + turned, even[k] - turned
    return out


def product(a, b):
    x, y = [int(d) for d in str(a)[::-1]], [int(d) for d in str(b)[::-1]]
    n = 1
    while n < len(x) + len(y):
        n *= 2
    x += [0] * (n - len(x))
    y += [0] * (n - len(y))
    both = [p * q for p, q in zip(transform(x), transform(y))]
    total, carry = 0, 0
    for place, value in enumerate(transform(both, -1)):
        digit = round(value.real / n) + carry
        total += digit % 10 * 10**place
        carry = digit // 10
    return total


def mandelbrot(y, width):
    for x in range(width):
        c = complex(x / width * 3 - 2, y)
        z, steps = 0j, 0
        while abs(z) < 2 and steps < 30:
            z = z * z + c
            steps += 1
        yield " .:-=+*#%@"[steps // 4]


for i in range(SCALE):
    a, b = 123456789 ** (i % 3 + 1) + i, 987654321 + i * i
    print(i, product(a, b) == a * b, product(a, b))
    print("".join(mandelbrot((i % 20 - 10) / 10, 60)))
