"""Context managers: own classes that swallow errors, contextlib ones, several in one with."""

from contextlib import contextmanager, suppress

SCALE = 5142
log = []


class Section:
    depth = 0

    def __init__(self, n):
        self.n, self.events = n, []

    def __enter__(self):
        self.events.append("in")
        Section.depth += 1
        return self

    def __exit__(self, *error):
        Section.depth -= 1
        log.append((self.n, self.events, error[0].__name__ if error[0] else None))
        return error[0] is KeyError


@contextmanager
def traced(n):
    log.append(("begin", n))
    try:
        yield n * 2
    finally:
        log.append(("end", n))


def main():
    for i in range(5):
        with Section(i) as section, traced(i) as twice:
            for j in range(3):
                section.events.append((j, twice, Section.depth))
                with suppress(ZeroDivisionError):
                    for k in range(2):
                        1 / (j - k)
                if i == 3 and j == 1:
                    raise KeyError(j)
                if i == 2:
                    break
            else:
                section.events.append("done")
        print(i, Section.depth)


for round_ in range(SCALE):
    main()
    for entry in log:
        print(round_, entry)
    log.clear()
