"""What a program has set since its beginning comes back, and nothing that it left alone."""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import sys
import threading
import warnings

import pytest
from stacks import go_on, run_to_stop

from resume.errors import RestoreError
from resume.reentry import at_exit, beginning, process


@pytest.fixture
def begun(monkeypatch):
    """A function that puts the process back, and lets a program begin; so it is at the end."""
    monkeypatch.setattr(sys, "argv", ["program", "one"])
    monkeypatch.setenv("LEFT_ALONE", "first")
    monkeypatch.setenv("TAKEN_AWAY", "first")
    monkeypatch.setenv("TZ", "UTC")
    before = dict(os.environ)
    found = gc.get_threshold(), sys.getswitchinterval(), os.umask(0o022)
    hooks = sys.excepthook, threading.excepthook, warnings.showwarning
    handlers = {each: signal.getsignal(each) for each in (signal.SIGUSR1, signal.SIGUSR2)}
    errors = sys.__stdout__.errors

    def begin(*, again: bool = True):
        os.environ.clear()
        os.environ.update(before)
        gc.enable()
        gc.set_threshold(*found[0])
        sys.setswitchinterval(found[1])
        os.umask(0o022)
        sys.excepthook, threading.excepthook, warnings.showwarning = hooks
        sys.argv[:] = ["program", "one"]
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        sys.__stdout__.reconfigure(errors=errors)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        beginning.forget()
        if again:
            beginning.note()

    begin()
    yield begin
    begin(again=False)
    os.umask(found[2])


SETTINGS = """
import atexit, gc, os, signal, sys, threading, time, warnings
from pieces import sync
result = []
def handler(number, frame):
    result.append(number)
def hook(*told):
    result.append(told)
os.environ["SET"] = "a \\udc80 word"
os.environ["TZ"] = "UTC-03"
time.tzset()
del os.environ["TAKEN_AWAY"]
sys.argv.append("two")
gc.disable()
gc.set_threshold(321, 7, 5)
sys.setswitchinterval(0.25)
os.umask(0o027)
signal.signal(signal.SIGUSR1, handler)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
signal.setitimer(signal.ITIMER_VIRTUAL, 500, 70)
sys.excepthook = threading.excepthook = warnings.showwarning = hook
sys.__stdout__.reconfigure(errors="namereplace")
def look():
    mask = os.umask(0o022)
    os.umask(mask)
    rest, again = signal.getitimer(signal.ITIMER_VIRTUAL)
    return [
        [os.environ.get(name) for name in ("SET", "TAKEN_AWAY", "LEFT_ALONE")],
        [time.localtime(0).tm_hour, sys.argv, sys.getswitchinterval(), mask],
        [gc.isenabled(), gc.get_threshold()[:2], signal.getsignal(signal.SIGUSR1) is handler],
        [signal.getsignal(signal.SIGUSR2) == signal.SIG_IGN, 400 < rest < 510, again],
        [sys.excepthook is hook, threading.excepthook is hook, warnings.showwarning is hook],
        sys.__stdout__.errors,
    ]
before = look()
for turn in range(2):
    sync()
after = look()
os.kill(os.getpid(), signal.SIGUSR1)
"""


def test_all_of_it_comes_back(begun):
    """Whatever the rerun had there; what it has of its own stays."""
    saved = run_to_stop(SETTINGS)
    begun()
    os.environ["LEFT_ALONE"] = os.environ["SET"] = "second"

    names = go_on(saved)

    expected = names["before"]
    expected[0][2] = "second"
    assert expected == names["after"]
    assert [0.25, 0o027] == names["after"][1][2:]
    assert [signal.SIGUSR1] == names["result"]
    assert json.dumps(saved.layout["process"])


def test_what_came_back_counts_as_set_from_then_on(begun):
    """A second rerun may find again what the first has found."""
    known = json.loads(json.dumps(run_to_stop(SETTINGS).layout["process"]))
    begun()
    os.environ["SET"] = "a \udc80 word"
    os.environ.pop("TAKEN_AWAY")
    beginning.note()

    process.apply_plain(known)
    again = process.plain(is_whole=True)

    assert sorted(known["set"]) == sorted(again["set"])
    assert known["gone"] == again["gone"]


def test_a_setting_that_the_process_refuses_is_told(begun):
    known = {**process.plain(is_whole=True), "set": [["locale", "all", "xx_YY.no"]]}

    with pytest.raises(RestoreError, match=r"locale \(all\) to 'xx_YY.no', which this process"):
        process.apply_plain(known)


def test_nothing_is_known_where_no_beginning_was_noted(begun):
    """A function alone is saved: the rest of its program sets all of this again."""
    beginning.forget()
    os.environ["SET"] = "word"
    sys.excepthook = print

    assert "set" not in process.plain(is_whole=True)
    assert {} == beginning.changed(beginning.OBJECTS)
    assert not [name for name in process.held((), ["piece"]) if "hook" in name or "logg" in name]


def test_the_mask_of_new_files_is_known_everywhere(begun, monkeypatch):
    os.umask(0o027)
    told = beginning.PLAIN["files"].read()
    monkeypatch.setattr(beginning, "_STATUS", os.devnull)

    assert {"mask": 0o027} == told == beginning.PLAIN["files"].read()
    assert os.umask(0o022) == 0o027


def test_a_program_without_standard_streams(begun, monkeypatch):
    monkeypatch.setattr(sys, "__stderr__", None)
    monkeypatch.setattr(sys, "argv", [1, "no text"])
    beginning.note()

    found = process.plain(is_whole=True)
    process.apply_plain(found)

    assert [] == found["set"]


REGISTERING = """
import atexit, shutil
from pieces import sync
result = []
class Journal:
    def close(self, *words, **named):
        result.append([self is journal, words, named])
journal = Journal()
atexit.register(journal.close, "word", at=3)
atexit.register(shutil.rmtree, "nowhere", ignore_errors=True)
@atexit.register
def last():
    result.append("last")
def never():
    result.append("never")
atexit.register(never)
atexit.unregister(never)
for turn in range(2):
    sync()
"""


def test_what_is_called_at_the_end_is_registered_again(begun):
    saved = run_to_stop(REGISTERING)
    kept = [name for name in saved.taken.roots if " at exit " in name]
    left = at_exit.registered(["piece"])
    for _, (function, _, _) in left:
        atexit.unregister(function)
    begun()

    names = go_on(saved)

    again = at_exit.registered(["piece"])
    for _, (function, args, named) in reversed(again):
        atexit.unregister(function)
        function(*args, **named)
    assert ["last", [True, ("word",), {"at": 3}]] == names["result"]
    assert 3 == len(kept) == len(left) == len(again)


def test_what_others_register_is_theirs(begun):
    def other():
        """Nothing."""

    atexit.register(other)
    held = process.held((), ["piece"])
    atexit.unregister(other)

    assert not [name for name in held if name.startswith("at exit")]


def test_registering_looks_as_before(begun):
    assert "register" == atexit.register.__name__
    assert atexit.__name__ == atexit.register.__module__
    assert "at_exit.py" not in str(pytest.raises(TypeError, atexit.register).getrepr())
