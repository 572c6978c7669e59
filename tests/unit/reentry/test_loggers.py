"""What a program has told `logging` holds when it goes on, and its files are those of one run."""

from __future__ import annotations

import logging
import sys

import pytest
from stacks import go_on, run_to_stop

from resume.reentry import beginning


@pytest.fixture
def begun():
    """A function that makes `logging` new, and lets a program begin; it all ends with the test.

    It is to be called in the test: pytest has handlers of its own for each part of one.
    """
    manager, root = logging.root.manager, logging.root
    loggers, told = dict(manager.loggerDict), (root.level, root.filters)
    names = dict(logging._levelToName), dict(logging._nameToLevel)
    own = logging.getLogger("resume")
    handlers, factory, disabled = list(own.handlers), logging.getLogRecordFactory(), manager.disable

    def begin():
        for handler in {*root.handlers, *(h for name in NAMES for h in _handlers(name))}:
            if isinstance(handler, logging.FileHandler):
                handler.close()
        manager.loggerDict.clear()
        manager.loggerDict["resume"] = own
        root.handlers, root.filters, root.level, root.disabled = [], [], logging.WARNING, False
        manager.disable = 0
        logging._levelToName.clear()
        logging._levelToName.update(names[0])
        logging._nameToLevel.clear()
        logging._nameToLevel.update(names[1])
        logging.setLogRecordFactory(factory)
        logging.lastResort = logging._defaultLastResort
        logging.captureWarnings(False)
        beginning.note()

    yield begin
    pytests = [each for each in root.handlers if type(each).__module__.startswith("_pytest")]
    begin()
    beginning.forget()
    root.handlers = pytests
    manager.loggerDict.clear()
    manager.loggerDict.update(loggers)
    root.level, root.filters = told
    own.handlers, manager.disable = handlers, disabled
    manager._clear_cache()


NAMES = ("work", "work.part", "py.warnings")


def _handlers(name):
    found = logging.root.manager.loggerDict.get(name)
    return getattr(found, "handlers", [])


CONFIGURED = """
import logging, sys, warnings
from pieces import sync
result = []
class Tally(logging.Handler):
    seen = 0
    def emit(self, record):
        self.seen += 1
class Level(logging.Filter):
    def __init__(self, least):
        super().__init__()
        self.least = least
    def filter(self, record):
        return record.levelno >= self.least
def without_x(record):
    return "x" not in record.msg
class Record(logging.LogRecord):
    pass
logging.addLevelName(25, "NOTICE")
logging.basicConfig(filename=FILE, format="%(levelname)s %(name)s %(message)s", level=5)
log, tally = logging.getLogger("work"), Tally()
tally.set_name("tally")
log.addHandler(tally)
log.addHandler(logging.StreamHandler(sys.__stderr__))
tally.addFilter(Level(30))
log.addFilter(without_x)
logging.getLogger("work.part").setLevel(logging.ERROR)
logging.getLogger("work.part").propagate = False
logging.getLogger("off").disabled = True
logging.setLogRecordFactory(Record)
logging.captureWarnings(True)
logging.lastResort = None
def look():
    part = logging.getLogger("work.part")
    return [
        [logging.getLogger("work") is log, log.handlers[0] is tally, log.handlers[0].seen],
        [log.handlers[1].stream is sys.__stderr__, log.filters[0] is without_x, part.level],
        [part.propagate, logging.getLogger("off").disabled, logging.getLevelName(25)],
        [logging.getLogRecordFactory() is Record, logging._handlers.get("tally") is tally],
        [logging._warnings_showwarning is None, logging.lastResort, logging.root.level],
        [each() is tally for each in logging._handlerList].count(True),
        logging.root.manager.disable,
    ]
def say(text):
    log.log(25, text)
    log.error(text + "!")
    logging.getLogger("other").debug(text)
say("first")
logging.disable(10)
before = look()
for turn in range(2):
    sync()
after = look()
say("second")
say("x")
tally.acquire()
tally.release()
seen = tally.seen
logging.shutdown()
"""


def test_all_of_it_comes_back(begun, tmp_path, capsys):
    """Levels, names, filters, handlers, and the file of a handler, cut back."""
    begun()
    source = CONFIGURED.replace("FILE", repr(str(tmp_path / "log")))
    saved = run_to_stop(source)
    logging.getLogger("work").error("lost")
    begun()

    names = go_on(saved)

    assert names["before"] == names["after"]
    assert [[True, True, 1], [True, True, 40], [False, True, "NOTICE"]] == names["after"][:3]
    assert [[True, True], [False, None, 5], 1, 10] == names["after"][3:]
    assert names["seen"] == 2
    assert [
        *["NOTICE work first", "ERROR work first!", "DEBUG other first"],
        *["NOTICE work second", "ERROR work second!"],
    ] == (tmp_path / "log").read_text().splitlines()


def test_what_cannot_be_saved_is_left_out_and_told(begun):
    """The rest comes back; what the rerun has there by itself stays."""
    begun()
    source = """
import logging, threading
from pieces import sync
class Sender(logging.Handler):
    def __init__(self):
        super().__init__()
        self.thread = threading.Thread(target=print)
logging.getLogger("work").addHandler(Sender())
logging.getLogger("work").setLevel(17)
for turn in range(2):
    sync()
"""
    saved = run_to_stop(source)
    begun()
    own = logging.NullHandler()
    logging.getLogger("work").addHandler(own)

    go_on(saved)

    assert ["logger work"] == saved.layout["process"]["left_out"]
    assert [17, [own]] == [logging.getLogger("work").level, logging.getLogger("work").handlers]


def test_a_library_finds_the_handler_that_it_made(begun):
    """It made it while it was imported, and may know it by a name of its own."""
    begun()
    library = logging.getLogger("library")
    library.addHandler(logging.StreamHandler(sys.__stderr__))
    logging.getLogger("cleared")
    saved = run_to_stop("from pieces import sync\nfor turn in range(2):\n    sync()\n")
    begun()
    made = logging.StreamHandler(sys.__stderr__)
    logging.getLogger("library").addHandler(made)
    logging.getLogger("cleared").addHandler(logging.NullHandler())

    go_on(saved)

    assert [made] == logging.getLogger("library").handlers
    assert [] == logging.getLogger("cleared").handlers


def test_the_handler_of_last_resort_is_the_one_that_is_there(begun):
    begun()
    source = """
import logging
from pieces import sync
logging.lastResort.setLevel(logging.WARNING)
kept = logging.lastResort
for turn in range(2):
    sync()
"""
    names = go_on(run_to_stop(source))

    assert logging.lastResort is names["kept"]


def test_our_own_logger_is_none_of_the_programs(begun):
    begun()
    logging.getLogger("resume.part").addHandler(logging.NullHandler())
    source = "from pieces import sync\nfor turn in range(2):\n    sync()\n"

    assert not [name for name in run_to_stop(source).taken.roots if "resume" in name]


OWN_CLASS = """
import logging
from pieces import sync
class Counting(logging.Logger):
    def __init__(self, name):
        super().__init__(name)
        self.counts = {}
    def handle(self, record):
        self.counts[record.msg] = self.counts.get(record.msg, 0) + 1
logging.setLoggerClass(Counting)
log = logging.getLogger("work")
logging.getLogger("work.part").error("a")
log.error("b")
for turn in range(2):
    sync()
log.error("b")
logging.getLogger("work.part").error("a")
result = [logging.getLogger("work") is log, log.counts, logging.getLogger("work.part").counts]
kinds = {type(logging.getLogger(name)) is Counting for name in ("work", "work.part", "new")}
"""


@pytest.mark.parametrize("is_there", [False, True])
def test_a_logger_of_a_class_of_the_programs(begun, is_there):
    """Also where a library has asked for it meanwhile."""
    begun()
    saved = run_to_stop(OWN_CLASS)
    logging.setLoggerClass(logging.Logger)
    begun()
    if is_there:
        logging.getLogger("work")

    names = go_on(saved)

    logging.setLoggerClass(logging.Logger)
    assert [[True, {"b": 2}, {"a": 2}], {True}] == [names["result"], names["kinds"]]
