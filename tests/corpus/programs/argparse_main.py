"""A command with subcommands, types and defaults; its input comes from stdin."""

# arguments: --verbose count --by length --top 4 --ratio 0.5
# stdin: the quick brown fox\njumps over the lazy dog\nand the fox again\n

import argparse
import sys

SCALE = 1058


def positive(text):
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


def parser():
    main = argparse.ArgumentParser(prog="words")
    main.add_argument("--verbose", "-v", action="count", default=0)
    commands = main.add_subparsers(dest="command", required=True)
    count = commands.add_parser("count")
    count.add_argument("--by", choices=["length", "word"], default="word")
    count.add_argument("--top", type=int, default=3)
    count.add_argument("--ratio", type=positive, default=1)
    count.set_defaults(run=run_count)
    repeat = commands.add_parser("repeat")
    repeat.add_argument("times", type=int, nargs="+")
    repeat.set_defaults(run=run_repeat)
    return main


def run_count(asked, words):
    counts = {}
    for word in words:
        key = len(word) if asked.by == "length" else word
        counts[key] = counts.get(key, 0) + asked.ratio
    shown = 0
    for key, n in sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0]))):
        if shown == asked.top:
            break
        print(f"{key}: {n}")
        shown += 1
    return shown


def run_repeat(asked, words):
    total = 0
    for times in asked.times:
        for word in words:
            total += len(word * times)
    print(total)
    return total


def main(argv=None):
    asked = parser().parse_args(argv)
    words = []
    for line in sys.stdin:
        for word in line.split():
            words.append(word)
            if asked.verbose:
                print("read", word)
    print(len(sys.argv), words)
    for round_ in range(SCALE):
        asked.run(asked, words)
        again = parser().parse_args(["repeat", str(round_), "2"])
        print(round_, again.run(again, words[: round_ % 5]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
