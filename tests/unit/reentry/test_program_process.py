"""What a program has set in its process is set again when it goes on."""

from __future__ import annotations

import decimal
import io
import json
import os
import sys
import warnings

import numpy as np
import pytest
from stacks import go_on, run_to_stop, the_stop

from resume.errors import RestoreError
from resume.reentry import process

SETTINGS = """
import decimal, os, sys, warnings
import numpy as np
from pieces import sync
result = []
os.chdir(FOLDER)
sys.path.insert(0, FOLDER)
sys.setrecursionlimit(LIMIT)
sys.set_int_max_str_digits(5000)
decimal.getcontext().prec = 7
np.seterr(divide="raise")
np.set_printoptions(precision=3)
warnings.simplefilter("ignore", ResourceWarning)
def look():
    with warnings.catch_warnings():
        divide = np.geterr()["divide"]
    result.append([os.getcwd() == FOLDER, FOLDER in sys.path, sys.getrecursionlimit() == LIMIT])
    result.append([sys.get_int_max_str_digits(), str(decimal.Decimal(1) / 3), divide])
    result.append([str(np.array([1 / 3])), warnings.filters[0][0], warnings.filters[0][2].__name__])
for turn in range(2):
    sync()
    look()
"""


@pytest.fixture
def as_before():
    """A function that puts the process back as it was; it is called at the end, too."""
    limit, digits, folder = sys.getrecursionlimit(), sys.get_int_max_str_digits(), os.getcwd()
    path, filters, shown = list(sys.path), list(warnings.filters), np.get_printoptions()
    errors, context, out = np.geterr(), decimal.getcontext(), sys.stdout
    plain = context.copy()

    def put_back():
        sys.setrecursionlimit(limit)
        sys.set_int_max_str_digits(digits)
        os.chdir(folder)
        sys.path[:], sys.stdout = path, out
        warnings.filters[:] = filters
        warnings._filters_mutated()
        np.seterr(**errors)
        np.set_printoptions(**shown)
        decimal.setcontext(plain.copy())

    yield put_back
    put_back()


def test_settings_of_the_process_come_back(as_before, tmp_path):
    source = SETTINGS.replace("FOLDER", repr(str(tmp_path)))
    source = source.replace("LIMIT", str(sys.getrecursionlimit() + 77))
    saved = run_to_stop(source)
    as_before()

    found = go_on(saved)["result"]

    assert [
        [True] * 3,
        [5000, "0.3333333", "raise"],
        ["[0.333]", "ignore", "ResourceWarning"],
    ] * 2 == found
    assert json.dumps(saved.layout["process"])


def test_a_folder_that_is_gone_is_told(as_before, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    known = {**process.plain(), "folder": str(folder)}
    folder.rmdir()

    with pytest.raises(RestoreError, match="which cannot be entered"):
        process.apply_plain(known)


def test_nested_contexts_of_decimals_go_back_to_one_another(as_before):
    """What was set inside holds inside, and no longer."""
    source = """
import decimal
from pieces import sync
result = []
def third():
    return str(decimal.Decimal(1) / 3)
decimal.getcontext().prec = 9
with decimal.localcontext() as first:
    first.prec = 6
    with decimal.localcontext(prec=5) as second:
        second.prec = 3
        for turn in range(2):
            sync()
            result.append([third(), decimal.getcontext() is second, first.prec])
            second.prec += 1
    result.append([third(), decimal.getcontext() is first])
result.append(third())
"""
    saved = run_to_stop(source, at=2)
    as_before()
    with the_stop(lambda: None):
        names = {"__name__": "piece"}
        exec(source, names)
    as_before()

    assert names["result"] == go_on(saved)["result"]


WITHIN = """
import contextlib, io, warnings
import numpy as np
from pieces import sync
result = []
held = io.StringIO()
def look():
    result.append([np.geterr()["divide"], str(np.array([1 / 3])), len(warnings.filters) < 2])
with np.errstate(divide="ignore"), np.printoptions(precision=2), warnings.catch_warnings():
    warnings.resetwarnings()
    warnings.simplefilter("error")
    with contextlib.redirect_stdout(held):
        for turn in range(2):
            sync()
            print(turn)
    for turn in range(2):
        sync()
result.append(held.getvalue())
look()
"""


@pytest.mark.parametrize("at", [1, 2, 4])
def test_what_a_with_has_set_ends_with_it(as_before, at):
    """Entered again, it finds what was there before it, not what it had set itself."""
    saved = run_to_stop(WITHIN, at=at)
    as_before()

    found = go_on(saved)["result"]

    assert ["0\n1\n", [np.geterr()["divide"], str(np.array([1 / 3])), False]] == found
    assert not isinstance(sys.stdout, io.StringIO)


def test_a_stream_that_the_program_has_put_in_place_comes_back(as_before, tmp_path):
    target = tmp_path / "out"
    source = f"""
import sys
from pieces import sync
result = []
sys.stdout = log = open({str(target)!r}, "w")
print("before")
for turn in range(2):
    sync()
    print(turn)
    result.append(sys.stdout is log)
log.close()
sys.stdout = sys.__stdout__
"""
    saved = run_to_stop(source, at=2)
    sys.stdout.write("lost\n")
    sys.stdout.close()
    as_before()

    assert [True, True] == go_on(saved)["result"]
    assert "before\n0\n1\n" == target.read_text()
