"""Two calls in one expression, in a while in a for, with an else."""

SCALE = 14


def triangle(n):
    total = 0
    for i in range(n):
        total += i
    return total


def main(size):
    out = []
    for a in [1, 2, 3]:
        k = 0
        while k < size:
            k += 1
            if k == 2:
                continue
            out.append(triangle(a * size) + triangle(k))
    else:
        out.append("else")
    return out


if __name__ == "__main__":
    for size in range(1, 5 * SCALE):
        print(size, main(size))
