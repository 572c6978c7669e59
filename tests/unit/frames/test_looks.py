"""What goes wrong with a plain checkpoint is told before it does, and nothing else is."""

from __future__ import annotations

import textwrap

from resume.frames import static_looks


def looks(source, handles=("chp",), restored=None):
    space = {}
    exec(textwrap.dedent(source).strip(), space)
    return [
        (look.line, look.text)
        for look in static_looks(space["f"].__code__, restored, handles=handles)
    ]


def lines(source, **options):
    return [line for line, _ in looks(source, **options)]


PRIMES = """
def f(n=10):
    chp = Checkpoint()
    i = 2
    primes = [i]
    candidate = primes[-1]
    chp.restore()
    while n > 0:
        candidate += 1
        for p in primes:
            if not candidate % p:
                break
        else:
            primes.append(candidate)
            n -= 1
            chp.sync()
    return primes
"""


def test_the_first_example_is_clean():
    """The example of the manual gives no warning, though its sync() is indented under a `for`."""
    assert looks(PRIMES) == []


def test_a_safe_point_in_a_plain_for():
    """The line of the safe point, that of the `for`, and the remedy."""
    ((line, text),) = looks("""
    def f():
        chp = Checkpoint()
        chp.restore()
        for x in range(9):
            print(x)
            chp.sync()
    """)

    assert line == 6
    assert "line 4" in text
    assert "for x in chp.loop(...)" in text
    assert "@resumable" in text


def test_a_while_around_does_not_help():
    """The `for` starts again all the same, inside a `while` or around it."""
    assert lines("""
    def f(chp):
        while True:
            for x in range(9):
                chp.save()
        for y in range(9):
            while y:
                chp.sync()
    """) == [4]  # the second is never reached: the compiler leaves it out

    assert lines("""
    def f(chp):
        for y in range(9):
            while y:
                chp.sync()
    """) == [4]


def test_a_for_inside_a_loop_is_fine():
    """There a safe point waits for the end of the loop's item."""
    assert (
        looks("""
    def f(chp):
        for x in chp.loop(range(9)):
            for y in range(9):
                chp.sync()
    """)
        == []
    )


def test_other_objects_have_methods_called_sync():
    """Only names that hold the checkpoint count."""
    source = """
    def f(self, disk):
        for x in range(9):
            disk.sync()
            self.chp.sync()
    """

    assert lines(source) == []
    assert lines(source, handles=("self.chp",)) == [4]


def test_a_name_set_between_restore_and_the_loop():
    """It wipes what came back."""
    ((line, text),) = looks("""
    def f(n):
        chp = Checkpoint()
        chp.restore()
        total = 0
        limit = 100
        while n < limit:
            total += n
            n += 1
            chp.sync()
        return total
    """)

    assert line == 4
    assert "`total`" in text
    assert "above" in text


def test_names_set_where_nothing_came_back():
    """`if not chp.restore()` is the other right way to write it."""
    assert (
        looks("""
    def f(n):
        chp = Checkpoint()
        if not chp.restore():
            total = 0
        while n:
            total += n
            n -= 1
            chp.sync()
    """)
        == []
    )


def test_names_set_above_restore_or_inside_the_loop():
    """Nothing of the state is lost there."""
    assert (
        looks("""
    def f(n):
        chp = Checkpoint()
        total = 0
        chp.restore()
        while n:
            part = 0
            total += part
            n -= 1
            chp.sync()
        total = -total
    """)
        == []
    )


def test_the_place_of_the_restore_may_be_given():
    """A `with` block restores at its start, and so may a helper."""
    source = """
    def f(n):
        chp = helper()
        total = 0
        while n:
            total += n
            n -= 1
            chp.sync()
    """
    space = {}
    exec(textwrap.dedent(source).strip(), space)

    import dis

    call = next(
        op.offset for op in dis.get_instructions(space["f"].__code__) if op.opname == "CALL"
    )
    # helper() is a call whose result is stored: in doubt nothing is said
    assert lines(source, restored=call) == []
    assert lines(
        """
    def f(n):
        with Checkpoint() as chp:
            total = 0
            while n:
                total += n
                n -= 1
                chp.sync()
    """,
        restored=before_with("""
    def f(n):
        with Checkpoint() as chp:
            total = 0
            while n:
                total += n
                n -= 1
                chp.sync()
    """),
    ) == [3]


def before_with(source):
    import dis

    space = {}
    exec(textwrap.dedent(source).strip(), space)
    return next(
        op.offset for op in dis.get_instructions(space["f"].__code__) if op.opname == "BEFORE_WITH"
    )


def test_a_second_loop_behind_a_first():
    """A rerun saved in the second meets the first again."""
    ((line, text),) = looks("""
    def f(n, m):
        chp = Checkpoint()
        chp.restore()
        while n:
            n -= 1
            chp.sync()
        while m:
            m -= 1
            chp.sync()
    """)

    assert line == 7
    assert "line 4" in text


def test_loops_of_the_right_kind_may_follow_each_other():
    """`chp.loop`s are led to their place."""
    assert (
        looks("""
    def f(n):
        with Checkpoint() as chp:
            for x in chp.loop(n):
                chp.sync()
            for y in chp.loop(n):
                chp.sync()
    """)
        == []
    )


def test_nested_plain_loops_are_one():
    """An inner `while` is no second one behind the first."""
    assert (
        looks("""
    def f(n, m):
        chp = Checkpoint()
        chp.restore()
        while n:
            n -= 1
            while m:
                m -= 1
                chp.sync()
            chp.sync()
    """)
        == []
    )
