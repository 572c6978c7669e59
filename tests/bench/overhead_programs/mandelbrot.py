"""A picture of the Mandelbrot set in characters: complex arithmetic in a while loop."""

SIZE = 180


def steps(c, most):
    z = 0j
    for step in range(most):
        z = z * z + c
        if abs(z) > 2:
            return step
    return most


def picture(width, height, zoom):
    lines = []
    for y in range(height):
        line = ""
        for x in range(width):
            c = complex(3 * x / width - 2, 2 * y / height - 1) / zoom
            line += " .:-=+*#%@"[steps(c, 50) % 10]
        lines.append(line)
    return lines


def main(size):
    total = 0
    for number in range(size):
        lines = picture(60, 24, 1 + number % 5)
        total += sum(line.count("@") for line in lines)
    return total
