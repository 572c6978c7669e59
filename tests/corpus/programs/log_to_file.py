"""The logging module writes to a file and to stdout while the program counts and fails and retries."""

# writes: run.log

import logging
import sys

SCALE = 857
log = logging.getLogger("work")


class Flaky:
    def __init__(self):
        self.calls = 0

    def fetch(self, key):
        self.calls += 1
        total = 0
        for i in range(key % 5):
            total += i
        if self.calls % 4 == 0:
            raise ConnectionError(f"no answer for {key}")
        return total


def with_retries(source, key, tries=3):
    for attempt in range(1, tries + 1):
        try:
            return source.fetch(key)
        except ConnectionError as error:
            log.warning("attempt %d: %s", attempt, error)
            if attempt == tries:
                log.error("gave up: %r", error)
                raise
    return None


def main():
    file = logging.FileHandler("run.log", mode="w", encoding="utf-8")
    file.setFormatter(logging.Formatter("%(levelname)s %(funcName)s:%(lineno)d %(message)s"))
    out = logging.StreamHandler(sys.stdout)
    out.setLevel(logging.WARNING)
    log.setLevel(logging.DEBUG)
    log.addHandler(file)
    log.addHandler(out)
    source, total = Flaky(), 0
    for key in range(10 * SCALE):
        try:
            total += with_retries(source, key, tries=1 + key % 2)
        except ConnectionError:
            log.error("skipped %s", key)
            continue
        finally:
            log.debug("calls %d", source.calls)
        log.info("key %d total %d", key, total)
        print(key, total)
    logging.shutdown()


main()
