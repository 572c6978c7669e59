"""Sets filled and thinned until their order is of their history; it shows in every line."""

import random

SCALE = 4279


def worked(words, round_):
    for k in range(40):
        words.add(f"word{k * round_ % 97}")
    for k in range(35):
        words.discard(f"word{k * 3 * round_ % 97}")
    return words


def main(rounds):
    words, numbers, frozen = set(), set(range(40)), frozenset()
    rng = random.Random(7)
    for round_ in range(rounds):
        worked(words, round_)
        for word in words:
            if len(word) == 5:
                numbers.add(hash(word) % 1000)
        order = []
        for word in words:
            order.append(word[4:])
        print(round_, " ".join(order))
        for _ in range(3):
            numbers.discard(rng.randrange(40))
        popped = numbers.pop() if numbers else None
        frozen = frozen | {round_ * 37 % 101, f"f{round_}"}
        print(popped, list(numbers)[:8], list(frozen)[-3:])
        if len(frozen) > 40:
            frozen = frozenset(list(frozen)[:5])
    common = words & {f"word{k}" for k in range(50)}
    return list(common), list(words ^ common)


print(main(4 * SCALE))
