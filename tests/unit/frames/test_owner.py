"""The owner is found again, its end is noticed, and the program sees nothing of it."""

from __future__ import annotations

import gc
import pickle
import sys
import weakref

import pytest

from resume.frames import HIDDEN, Token, find_owner, is_function_frame, plant_token


def planted(frame):
    token = Token()
    plant_token(frame, token)
    return weakref.ref(token)


def test_the_token_lives_as_long_as_the_call():
    """While a function runs its token lives; when it has returned the token is gone."""

    def owner():
        alive = planted(sys._getframe())
        assert alive() is not None
        return alive

    assert owner()() is None


def test_the_end_of_the_call_is_told_at_once():
    """A callback on the weak reference runs when the function returns, before its caller."""
    told = []

    def owner():
        token = Token()
        plant_token(sys._getframe(), token)
        return weakref.ref(token, lambda _: told.append("end"))

    reference = owner()

    assert told == ["end"]
    assert reference() is None


@pytest.mark.usefixtures("untraced")
def test_the_program_does_not_see_the_token():
    """`locals()`, `vars()` and a call with `**locals()` are as without a token."""

    def owner(a, b):
        planted(sys._getframe())
        return dict(**locals()), sorted(vars()), sorted(locals())

    assert owner(1, 2) == ({"a": 1, "b": 2}, ["a", "b"], ["a", "b"])


def test_several_tokens_share_a_frame():
    """Two checkpoints in one function: both tokens live until it returns."""

    def owner():
        first, second = planted(sys._getframe()), planted(sys._getframe())
        assert first() is not None
        assert second() is not None
        return first, second

    first, second = owner()

    assert first() is None
    assert second() is None


def test_a_suspended_generator_keeps_its_token():
    """A generator's token lives while it is suspended, and goes with the generator."""
    references = []

    def owner():
        references.append(planted(sys._getframe()))
        yield 1
        yield 2

    running = owner()
    next(running)
    assert references[0]() is not None
    next(running)
    assert references[0]() is not None

    del running

    assert references[0]() is None


@pytest.mark.usefixtures("untraced")
def test_a_debugger_that_comes_later_does_not_end_the_call():
    """When a tracer takes `f_trace`, tokens move into a hidden local and go on living."""

    def owner():
        frame = sys._getframe()
        first, second = planted(frame), planted(frame)
        frame.f_trace = lambda *_: None  # what pdb.set_trace() does to each frame of the stack
        del frame.f_trace  # and what `continue` does
        assert first() is not None
        assert second() is not None
        third = planted(frame)
        frame.f_trace = lambda *_: None
        assert None not in (first(), second(), third())
        del frame  # a cycle of the test's own
        return first, second, third

    assert [reference() for reference in owner()] == [None, None, None]


@pytest.mark.usefixtures("untraced")
def test_a_debugger_that_is_there_first_keeps_its_place():
    """With a tracer in `f_trace` the token is a hidden local, and the tracer stays."""

    def owner():
        frame = sys._getframe()
        frame.f_trace = tracer = lambda *_: None
        alive = planted(frame)
        assert frame.f_trace is tracer
        assert frame.f_locals[HIDDEN] is alive()
        frame.f_locals.pop("frame", None) if sys.version_info < (3, 13) else None
        del frame  # a cycle of the test's own
        return alive

    assert owner()() is None


def test_bdb_takes_a_frame_with_a_token_for_untraced():
    """`bdb` sets its function where `not frame.f_trace`, so that `return` leads to the caller."""
    assert not Token()


@pytest.mark.usefixtures("untraced")
def test_tracing_a_frame_with_a_token_changes_nothing():
    """Once somebody traces, the token is called for lines, and the variables stay as they are."""

    def owner():
        alive = planted(sys._getframe())
        before = sys.gettrace()
        sys.settrace(lambda *_: None)
        a = 1
        b = a + 1
        sys.settrace(before)
        return a, b, alive() is not None

    assert owner() == (1, 2, True)


def test_a_token_in_a_pickle_marks_no_call():
    """A program that pickles `dict(locals())` under a debugger gets over it."""
    assert isinstance(pickle.loads(pickle.dumps(Token())), Token)


def test_modules_have_no_token():
    """A namespace outlives its frames; asking for a token there is a mistake of ours."""
    space = {"plant_token": plant_token, "Token": Token, "sys": sys}

    with pytest.raises(ValueError, match="mapping"):
        exec("plant_token(sys._getframe(), Token())", space)


def test_owner_is_found_from_any_depth():
    """The walk comes to the frame itself, through helpers and recursion."""

    def helper(depth, frame_id, code):
        if depth:
            return helper(depth - 1, frame_id, code)
        return find_owner(sys._getframe(), frame_id, code)

    def owner():
        frame = sys._getframe()
        return helper(5, id(frame), frame.f_code) is frame

    assert owner()


def test_owner_that_returned_is_not_found():
    """No frame on the stack, no owner."""

    def owner():
        return id(sys._getframe()), owner.__code__

    frame_id, code = owner()

    assert find_owner(sys._getframe(), frame_id, code) is None


@pytest.mark.usefixtures("untraced")
def test_the_walk_reads_no_locals():
    """On 3.11 and 3.12 reading `f_locals` would keep every value of every frame alive."""

    class Big:
        pass

    def outer():
        big = Big()
        alive = weakref.ref(big)
        assert find_owner(sys._getframe(), 0, outer.__code__) is None
        del big
        return alive()

    assert outer() is None


def test_frames_are_told_apart_by_where_names_live():
    """Functions have slots of their own; modules, class bodies and `exec` have a mapping."""
    seen = {}

    class Body:
        seen["class"] = is_function_frame(sys._getframe())

    exec(
        "seen['exec'] = is_function_frame(sys._getframe())",
        {"seen": seen, "is_function_frame": is_function_frame, "sys": sys},
    )
    seen["function"] = is_function_frame(sys._getframe())
    seen["lambda"] = (lambda: is_function_frame(sys._getframe()))()  # noqa: PLC3002

    assert seen == {"class": False, "exec": False, "function": True, "lambda": True}


def test_a_traceback_keeps_frame_and_token_together():
    """A caught exception holds its frame: the token lives on, so the address is not used again."""

    def owner():
        references.append(planted(sys._getframe()))
        raise ValueError

    references = []
    try:
        owner()
    except ValueError as error:
        kept = error
    assert references[0]() is not None

    kept.__traceback__ = None
    gc.collect()

    assert references[0]() is None
