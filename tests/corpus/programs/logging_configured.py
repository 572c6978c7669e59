"""Logging is configured at the root: two outputs, own levels, filters, formatters and handlers."""

# writes: all.log warnings.log

import logging
import sys
import warnings

SCALE = 300


class Tally(logging.Handler):
    def __init__(self, every):
        super().__init__()
        self.every, self.seen = every, 0

    def emit(self, record):
        self.seen += 1
        if self.seen % self.every == 0:
            print("tally", self.seen, record.levelname)


class Short(logging.Formatter):
    def format(self, record):
        return f"{record.levelname[:1]} {record.name}: {record.getMessage()[:40]}"


def no_sevens(record):
    return "7" not in record.getMessage()


def configure():
    logging.addLevelName(25, "NOTICE")
    logging.basicConfig(filename="all.log", level=logging.DEBUG, format="%(levelname)s|%(message)s")
    out = logging.StreamHandler(sys.stdout)
    out.setFormatter(Short())
    out.setLevel(25)
    out.addFilter(no_sevens)
    logging.getLogger().addHandler(out)
    logging.getLogger("engine").addHandler(Tally(9))
    logging.getLogger("engine.noise").setLevel(logging.ERROR)
    silent = logging.getLogger("silent")
    silent.propagate = False
    silent.addHandler(logging.NullHandler())
    logging.captureWarnings(True)
    warnings.simplefilter("always")
    told = logging.FileHandler("warnings.log", mode="w")
    told.set_name("told")
    logging.getLogger("py.warnings").addHandler(told)
    logging.getLogger("py.warnings").propagate = False


def step(number, log):
    log.info("begin %d", number)
    if number % 5 == 0:
        log.log(25, "fifth %d", number)
    if number % 11 == 0:
        warnings.warn_explicit(f"eleventh {number}", UserWarning, "where", 11)
    logging.getLogger("engine.noise").warning("not shown")
    logging.getLogger("silent").error("not shown")
    return number * number % 17


def main(rounds):
    configure()
    log, total = logging.getLogger("engine"), 0
    for number in range(rounds):
        total += step(number, log)
        if number == rounds // 2:
            logging.disable(logging.INFO)
    for handler in logging.getLogger("engine").handlers:
        print(handler.seen)
    print(
        total,
        log.isEnabledFor(logging.INFO),
        logging.getHandlerByName("told") is not None if sys.version_info >= (3, 12) else True,
    )


main(20 * SCALE)
