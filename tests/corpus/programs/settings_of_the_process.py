"""What a program sets in its process holds to the end, and is looked at in each round."""

# arguments: one two

import atexit
import decimal
import gc
import os
import sys
import time

SCALE = 800

seen = []


def hook(kind, value, trace):
    print("hook", kind.__name__, value)


def bye(text, *, times=1):
    print(text * times, len(seen))


class Journal:
    def __init__(self):
        self.lines = 0

    def close(self):
        print("journal", self.lines)


def prepare(journal):
    os.environ["CORPUS_WORD"] = "ä word"
    os.environ["TZ"] = "UTC-05:30"
    time.tzset()
    os.environ.pop("HOME", None)
    os.umask(0o027)
    sys.setrecursionlimit(2345)
    sys.argv[1:] = [word.upper() for word in sys.argv[1:]]
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.excepthook = hook
    decimal.getcontext().prec = 5
    gc.disable()
    gc.set_threshold(500, 7, 3)
    atexit.register(bye, "bye", times=2)
    atexit.register(journal.close)

    @atexit.register
    def last():
        print("last", journal.lines)

    atexit.register(never)
    atexit.unregister(never)


def never():
    print("never")


def look():
    return [
        os.environ["CORPUS_WORD"],
        time.strftime("%H:%M", time.localtime(0)),
        "HOME" in os.environ,
        sys.getrecursionlimit(),
        sys.argv[1:],
        sys.stdout.line_buffering,
        sys.stdout.errors,
        sys.excepthook is hook,
        gc.isenabled(),
        gc.get_threshold(),
        str(decimal.Decimal(2) / 3),
    ]


def main(rounds):
    journal = Journal()
    prepare(journal)
    for number in range(rounds):
        journal.lines += 1
        if number % 2 == 0:
            seen.append(look())
        if number % 50 == 0:
            print(number, seen[-1])
    print(all(each == seen[0] for each in seen))
    os.mkdir("made")
    print(oct(os.stat("made").st_mode & 0o777))
    os.rmdir("made")


main(2 * SCALE)
