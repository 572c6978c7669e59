"""An expression language in a package: lexer, parser, visitor and optimiser in modules of their own."""

# arguments: 7 --name x

import sys

from calc import evaluate, optimise, parse, show

SCALE = 2160
TEXTS = ["1 + 2 * x", "(x - 3) * (x + 3) / 2", "x * (0 + x) + 1 * x", "2 ^ 3 ^ (x - x)", "1 +", "y"]


def main(argv):
    start, name = int(argv[0]), argv[2]
    for i in range(SCALE):
        for text in TEXTS:
            try:
                tree = parse(text)
                small = optimise(tree)
                value = evaluate(small, {name: start + i})
            except (SyntaxError, NameError) as error:
                print(text, type(error).__name__, error)
            else:
                print(
                    text, "->", show(small), "=", value, value == evaluate(tree, {name: start + i})
                )


main(sys.argv[1:])
