"""Variables of a running frame: read and written, with nothing left behind."""

from __future__ import annotations

import asyncio
import bdb
import sys
import weakref

import pytest

from resume.errors import UnsupportedCodeError
from resume.frames import (
    HIDDEN,
    argument_names,
    delete_locals,
    namespace_of,
    places,
    read_locals,
    slots,
    write_locals,
)


class Thing:
    """Can be weakly referenced."""


def test_all_kinds_of_variables_are_read():
    """Arguments, locals, cell and free variables; no unbound ones, nothing hidden."""
    free = "free"

    def owner(a, *args, k=1, **kwargs):
        shared = "cell"
        _ = lambda: (shared, free)
        if not a:
            never = 1
        frame = sys._getframe()
        frame.f_trace = print  # so that a token would be a hidden local
        frame.f_locals[HIDDEN] = "token"
        del frame.f_trace
        return read_locals(frame)

    values = owner(1, 2, k=3, z=4)

    del values["frame"], values["_"]
    assert values == {
        "a": 1,
        "args": (2,),
        "k": 3,
        "kwargs": {"z": 4},
        "shared": "cell",
        "free": "free",
    }


def test_all_kinds_of_variables_are_written():
    """Locals, cells, free variables, and names that were not bound yet."""
    free = "old"

    def owner(a):
        shared = "old"
        inner = lambda: shared
        unknown = write_locals(
            sys._getframe(), {"a": 1, "shared": 2, "free": 3, "late": 4, "nowhere": 5}
        )
        values = a, shared, inner(), free, late, unknown  # noqa: F821
        if not a:
            late = 0
        return values

    assert owner(0) == (1, 2, 2, 3, 4, ["nowhere"])
    assert free == 3


@pytest.mark.usefixtures("untraced")
def test_reading_and_writing_keep_nothing_alive():
    """An object that the program lets go is gone, though it was read and overwritten before."""

    def owner():
        thing, other = Thing(), Thing()
        gone = weakref.ref(thing), weakref.ref(other)
        values = read_locals(sys._getframe())
        del values
        write_locals(sys._getframe(), {"other": None})
        del thing
        return [reference() for reference in gone]

    assert owner() == [None, None]


@pytest.mark.usefixtures("untraced")
def test_reference_counts_stay():
    """A thousand reads and writes neither leak nor free a reference."""

    def owner():
        thing = Thing()
        before = sys.getrefcount(thing)
        for _ in range(1000):
            read_locals(sys._getframe())
            write_locals(sys._getframe(), {"other": thing})
        write_locals(sys._getframe(), {"other": None})
        if not before:
            other = None
        return sys.getrefcount(thing) - before

    assert owner() == 0


@pytest.mark.usefixtures("untraced")
def test_the_programs_own_locals_dict_is_left_alone():
    """`params = locals()` is the frame's own dict on 3.11 and 3.12: our reads do not refill it."""

    def owner(lr, epochs):
        params = locals()
        later = 1
        before = dict(params)
        read_locals(sys._getframe())
        write_locals(sys._getframe(), {"lr": 5})
        return before == params, params["lr"], lr, later

    assert owner(1, 2) == (True, 1, 5, 1)


def test_this_build_has_the_dict_where_we_look():
    """The pointer to the frame's dict is found on every supported 3.11 and 3.12."""
    assert slots.DICT_FOUND is (sys.version_info < (3, 13))


def test_without_the_pointer_reads_and_writes_still_work(monkeypatch):
    """On a build with other frames only the old values stay alive longer."""
    monkeypatch.setattr(slots, "DICT_FOUND", False)

    def owner():
        a = 1
        write_locals(sys._getframe(), {"a": read_locals(sys._getframe())["a"] + 1})
        return a

    assert owner() == 2


def test_generators_and_coroutines():
    """A running generator or coroutine is a function like others."""

    def numbers():
        n = 1
        yield n
        write_locals(sys._getframe(), {"n": n + 10})
        yield n

    async def waits():
        n = 1
        await asyncio.sleep(0)
        write_locals(sys._getframe(), {"n": read_locals(sys._getframe())["n"] + 1})
        await asyncio.sleep(0)
        return n

    assert list(numbers()) == [1, 11]
    assert asyncio.run(waits()) == 2


def test_suspended_generator_is_read_from_outside():
    """A generator that is not running is an owner too."""

    def numbers():
        n = 7
        yield n
        yield n

    running = numbers()
    next(running)

    assert write_locals(running.gi_frame, {"n": 8}) == []
    assert read_locals(running.gi_frame) == {"n": 8}
    assert next(running) == 8


def test_methods_and_mangled_names():
    """`__x` is kept under the name that the compiler made of it."""

    class Owner:
        def method(self):
            __x = 1
            read = read_locals(sys._getframe())
            write_locals(sys._getframe(), {"_Owner__x": 2})
            return sorted(read), __x

    assert Owner().method() == (["_Owner__x", "self"], 2)


def test_namespaces_are_written_for_good():
    """In a module, an `exec` and a class body the mapping itself is the place of the names."""
    space = {"read": read_locals, "write": write_locals, "drop": delete_locals, "sys": sys}

    exec(
        "a = 1\nb = 2\n"
        "unknown = write(sys._getframe(), {'a': read(sys._getframe())['a'] + 1, 'new': 3})\n"
        "stayed = drop(sys._getframe(), ['b', 'missing'])",
        space,
    )

    class Body:
        a = 1
        write_locals(sys._getframe(), {"a": 2, "b": 3})

    assert (space["a"], space["new"], space["unknown"], space["stayed"]) == (2, 3, [], [])
    assert "b" not in space
    assert (Body.a, Body.b) == (2, 3)


def test_exec_with_two_mappings_writes_the_local_one():
    """`exec(code, globals, locals)` keeps its names in *locals*."""
    outer, inner = {"write": write_locals, "sys": sys}, {}

    exec("write(sys._getframe(), {'a': 1})", outer, inner)

    assert inner == {"a": 1}


def test_module_namespace_from_inside_a_comprehension():
    """From 3.12 a comprehension runs in the module's frame: `f_locals` is not the module then."""
    space = {"names": namespace_of, "sys": sys}

    exec("found = [names(sys._getframe()) for _ in [0]][0]", space)
    if sys.version_info >= (3, 12):
        assert space["found"] is space


@pytest.mark.skipif(sys.version_info < (3, 12), reason="comprehensions have frames of their own")
def test_class_namespace_from_inside_a_comprehension_is_refused():
    """Nothing leads to a class body's names from there: an error, not a wrong mapping."""
    with pytest.raises(UnsupportedCodeError, match="comprehension"):

        class Body:
            found = [namespace_of(sys._getframe()) for _ in [0]]


def test_unbinding_names():
    """3.11 unbinds all; from 3.12 plain locals are reported, cells are still unbound."""

    def owner():
        plain = shared = 1
        inner = lambda: shared
        stayed = delete_locals(sys._getframe(), ["plain", "shared", "missing"])
        bound = read_locals(sys._getframe())
        assert "shared" not in bound
        return stayed, "plain" in bound

    plain_stays = sys.version_info >= (3, 12)
    assert owner() == (["plain"] if plain_stays else [], plain_stays)


def test_unbinding_leaves_the_other_variables():
    """Nothing but the named variables goes."""

    def owner(a, *args):
        b = c = 1
        inner = lambda: c
        delete_locals(sys._getframe(), ["b"])
        return a, args, c, inner()

    assert owner(1, 2) == (1, (2,), 1, 1)


def test_argument_names():
    """In the order of the signature, starred ones last."""

    def owner(a, /, b, *args, c, **kwargs):
        local = 1

    assert argument_names(owner.__code__) == ("a", "b", "c", "args", "kwargs")
    assert argument_names((x for x in []).gi_code) == ()
    assert places(owner.__code__) == ("a", "b", "c", "args", "kwargs", "local")


def traced_owner(act):
    """A function with all kinds of variables, to be traced while *act* reads or writes them."""
    a, big, late = 1, Thing(), None
    shared = 2
    inner = lambda: shared
    act(sys._getframe())
    b = a + 1
    act(sys._getframe())
    return a, b, big is not None, shared, inner(), late


@pytest.mark.parametrize("leaves", [False, True], ids=["stays", "switches-itself-off"])
@pytest.mark.usefixtures("untraced")
def test_reading_inside_a_trace_function_deletes_nothing(leaves):
    """When a Python trace function of the frame returns, 3.11 and 3.12 copy its dict back."""
    read = []

    def tracer(frame, event, arg):
        if frame.f_code is not traced_owner.__code__:
            return None
        if event == "line":
            if leaves and read:
                sys.settrace(None)
            read.append(read_locals(frame))
        return tracer

    sys.settrace(tracer)
    try:
        result = traced_owner(lambda frame: read.append(read_locals(frame)))
    finally:
        sys.settrace(None)

    assert result == (1, 2, True, 2, 2, None)
    assert read[-1]["shared"] == 2


@pytest.mark.parametrize("leaves", [False, True], ids=["stays", "switches-itself-off"])
@pytest.mark.usefixtures("untraced")
def test_writing_inside_a_trace_function_holds(leaves):
    """What a `restore()` at a debugger's prompt writes is not overwritten when the prompt ends."""
    done = []

    def tracer(frame, event, arg):
        if frame.f_code is not traced_owner.__code__:
            return None
        if event == "line" and read_locals(frame).get("inner") and not done:
            done.append(write_locals(frame, {"a": 10, "shared": 20, "late": 30}))
            if leaves:
                sys.settrace(None)
        return tracer

    sys.settrace(tracer)
    try:
        result = traced_owner(lambda _: None)
    finally:
        sys.settrace(None)

    assert result == (10, 11, True, 20, 20, 30)


def test_reading_inside_a_profile_function_deletes_nothing():
    """Profile functions go the same way as trace functions."""

    def profiler(frame, event, arg):
        if frame.f_code is traced_owner.__code__:
            read_locals(frame)

    before = sys.getprofile()
    sys.setprofile(profiler)
    try:
        result = traced_owner(lambda _: None)
    finally:
        sys.setprofile(before)

    assert result == (1, 2, True, 2, 2, None)


class Prompt(bdb.Bdb):
    """A debugger without a terminal: steps through, and does what a person would type."""

    def user_line(self, frame):
        if frame.f_code is traced_owner.__code__:
            held = frame.f_locals  # pdb reads it for each prompt, and keeps it
            values = read_locals(frame)
            if values.get("inner") and values["a"] == 1:
                write_locals(frame, {"a": 100})
            assert frame.f_locals.get("big") is values.get("big")
            del held
        self.set_step()


@pytest.mark.usefixtures("untraced")
def test_a_debugger_at_every_line():
    """Reads and writes at each prompt of `bdb` neither delete nor lose a value."""
    result = Prompt().runcall(traced_owner, lambda frame: read_locals(frame))

    assert result == (100, 101, True, 2, 2, None)


def test_hidden_names_are_read_on_request():
    """The iterator of a generator expression has a name that begins with a dot."""
    inner = (each for each in [1, 2])
    next(inner)

    values = read_locals(inner.gi_frame, hidden=True)

    assert list(values) == [".0", "each"]
    assert read_locals(inner.gi_frame) == {"each": 1}
