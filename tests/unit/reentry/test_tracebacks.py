"""What a traceback says comes back, in another process, in the program's own words."""

from __future__ import annotations

import sys
import traceback
import types

import pytest
from pieces import load
from suspended import making, taking

from resume.pickling import decode, encode
from resume.reentry.tracebacks import reduce_traceback, traceback_of

FAILING = """
import json

class Worker:
    def work(self, n):
        return [
            self.work(n - 1) for _ in range(1)
        ] if n else (
            1 / n
        )

class Strict(ValueError):
    def __setattr__(self, name, value):
        raise TypeError("nobody sets anything here")

class Told(Exception):
    def __init__(self, a, *, b=0):
        super().__init__(f"{a} of {b}")
        self.kept = a, b
    def __reduce__(self):
        return again, self.kept, {"more": 7}
    def __setstate__(self, state):
        self.state = state

def again(a, b):
    return Told(a, b=b)

class Filled(Exception):
    def __reduce__(self):
        return Filled, self.args, None, iter([1, 2])
    def extend(self, items):
        self.items = list(items)

def told(kind, *args):
    try:
        Worker().work(1)
    except ZeroDivisionError:
        raise kind(*args)

def caught(act, *args):
    try:
        act(*args)
    except Exception as error:
        return error

def strict():
    raise Strict("strict")

def chained():
    try:
        Worker().work(2)
    except ZeroDivisionError as error:
        raise LookupError("no") from error

def grouped():
    raise ExceptionGroup("all", [caught(chained), caught(json.loads, "{")])

def deep(n):
    return deep(n - 1) if n else n.nothing
"""
ERRORS = (
    *("caught(chained)", "caught(strict)", "caught(grouped)", "caught(json.loads, '[')"),
    *("caught(deep, 300)", "caught(eval, '1 +')", "ValueError('never raised')"),
)


def there(values, piece):
    encoded = encode({"all": values}, look=taking(piece).look)
    assert () == encoded.skipped
    return decode(encoded.stream, [], own={"program": making(piece)}).values["all"]


def text(error):
    """Without hints, which are told from the variables of frames."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("expression", ERRORS)
def test_an_error_that_is_held_says_what_it_said(expression):
    piece = load(FAILING)
    error = eval(expression, piece.names)

    again = there(error, piece)

    assert again is not error
    assert text(error) == text(again)


def test_an_error_with_a_way_of_its_own_keeps_it_and_its_traceback():
    piece = load(FAILING)
    error = piece.caught(piece.told, piece.Told, 3)

    again = there(error, piece)

    assert ((3, 0), {"more": 7}) == (again.kept, again.state)
    assert text(error) == text(again)
    assert [1, 2] == there(piece.caught(piece.told, piece.Filled), piece).items


def test_a_traceback_in_a_variable_is_that_of_its_error():
    piece = load(FAILING)
    error = piece.caught(piece.deep, 3)
    trace = error.__traceback__

    again, held = there([error, trace.tb_next], piece)

    assert traceback.format_tb(trace.tb_next) == traceback.format_tb(held)
    assert isinstance(held, types.TracebackType)
    assert again.__traceback__.tb_frame.f_globals is piece.names
    assert there([error, trace], piece)[0].__traceback__.tb_lineno == trace.tb_lineno


def test_one_traceback_under_two_names_stays_one():
    piece = load(FAILING)
    error = piece.caught(piece.chained)

    again, held = there([error, error.__traceback__], piece)

    assert again.__traceback__ is held


def test_an_error_that_goes_on_gets_further_entries():
    piece = load(FAILING)
    again = there(piece.caught(piece.strict), piece)
    before = len(traceback.extract_tb(again.__traceback__))

    with pytest.raises(ValueError) as raised:
        raise again

    found = traceback.extract_tb(raised.value.__traceback__)
    assert before + 1 == len(found)
    assert ["test_an_error_that_goes_on_gets_further_entries", "caught", "strict"] == [
        each.name for each in found
    ]


def test_a_module_that_is_gone_and_columns_that_are_unknown_do_no_harm():
    code = compile("1 / 0", "gone.py", "exec")
    plain = code.replace(co_linetable=bytes([0x80 | 15 << 3 | len(code.co_code) // 2 - 1]))
    try:
        exec(plain, {"__name__": "gone_for_ever"})
    except ZeroDivisionError as error:
        trace = error.__traceback__.tb_next
    assert "gone_for_ever" not in sys.modules

    _, (entries,) = reduce_traceback(None, trace)
    made = traceback_of(entries)

    assert made.tb_next is None
    assert "gone_for_ever" == made.tb_frame.f_globals["__name__"]
    assert trace.tb_lineno == made.tb_lineno
    assert "gone.py" == made.tb_frame.f_code.co_filename
