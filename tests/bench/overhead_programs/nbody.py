"""Five bodies that attract each other: float arithmetic on lists, pairs of bodies in a loop."""

SIZE = 280_000

BODIES = [
    ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 39.478),
    ([4.84, -1.16, -0.10], [0.606, 2.81, -0.02], 0.0377),
    ([8.34, 4.12, -0.40], [-1.01, 1.82, 0.008], 0.0113),
    ([12.89, -15.11, -0.22], [1.08, 0.868, -0.01], 0.00172),
    ([15.38, -25.92, 0.18], [0.979, 0.594, -0.035], 0.00203),
]


def advance(pairs, bodies, dt):
    for (first, one, weight), (second, other, load) in pairs:
        dx = first[0] - second[0]
        dy = first[1] - second[1]
        dz = first[2] - second[2]
        pull = dt / (dx * dx + dy * dy + dz * dz) ** 1.5
        here, there = weight * pull, load * pull
        one[0] -= dx * there
        one[1] -= dy * there
        one[2] -= dz * there
        other[0] += dx * here
        other[1] += dy * here
        other[2] += dz * here
    for place, speed, _ in bodies:
        place[0] += dt * speed[0]
        place[1] += dt * speed[1]
        place[2] += dt * speed[2]


def main(size):
    bodies = [(list(place), list(speed), weight) for place, speed, weight in BODIES]
    pairs = [(a, b) for number, a in enumerate(bodies) for b in bodies[number + 1 :]]
    for _ in range(size):
        advance(pairs, bodies, 0.001)
    return round(sum(place[0] for place, _, _ in bodies), 6)
