"""The options of `@resumable`: which checkpoint is whose, and what is refused."""

from __future__ import annotations

import linecache
import random
from pathlib import Path

import pytest
from cutting import Cut, kept, stopping

import resume
from resume import Checkpoint, CodeChangedError, ConfigError, RestoreError, resumable


@resumable
def total(often, out):
    """Add numbers."""
    found = 0
    for i in range(often):
        if i == 3:
            resume.save()
            stopping.here()
        found += i
        out.append(found)
    return found


def test_names():
    """Of the module and the function, of a template, and by rank."""

    @resumable(name="{function}-{n}")
    def work(n):
        resume.save()
        stopping.here()

    with pytest.raises(Cut):
        work(4)

    assert kept()[0].startswith("test_decorator_options.test_names.work-4@")


def test_a_rank_has_a_checkpoint_of_its_own(monkeypatch):
    """As everywhere."""
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(Cut):
        total(4, [])

    assert "-rank2@" in kept()[0]


def test_a_key_tells_calls_apart():
    """What it leaves out does not count."""

    @resumable(key=lambda n, data: n, folder="elsewhere", keep=1)
    def work(n, data):
        data.append(n)
        resume.save()
        resume.save()
        stopping.here()
        return data

    with pytest.raises(Cut):
        work(1, [5])
    assert len(list(Path("elsewhere").glob("*/*.manifest.json"))) == 1
    assert work(1, [6]) == [5, 1]
    with pytest.raises(ConfigError, match="key= gave"):
        resumable(key=lambda n, data: data)(work.__wrapped__)(1, [])


def test_a_call_that_differs_in_an_object_alone_says_so(caplog):
    """It would begin anew each time, and nobody would know why."""

    @resumable
    def work(n, data):
        resume.save()
        stopping.here()

    with pytest.raises(Cut):
        work(1, [random.random()])
    work(2, [random.random()])
    assert "begins at its beginning" not in caplog.text
    work(1, [random.random()])

    assert "the value of data was another. key= tells which arguments count" in caplog.text


def test_clean_starts_anew():
    """What is there is set aside."""
    with pytest.raises(Cut):
        total(6, [])
    out = []

    assert resumable(clean=True)(total.__wrapped__)(6, out) == 15
    assert out == [0, 1, 3, 6, 10, 15]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"on_change": "continue"}, "choose 'refuse' or 'restart'"),
        ({"keep": 0}, "keep=0"),
        ({"rate": "often"}, "rate"),
    ],
)
def test_wrong_options_are_told_at_once(options, text):
    """Not at the first call."""
    with pytest.raises(ConfigError, match=text):
        resumable(**options)(total.__wrapped__)()


def test_switched_off_it_is_the_function_itself(monkeypatch):
    """At the decoration and at a call."""
    monkeypatch.setenv("RESUME_DISABLE", "1")

    def work(n):
        return n

    assert resumable(work) is work
    assert total(2, []) == 1
    assert not Path(".checkpoints").exists()


def test_a_checkpoint_of_another_kind_is_not_touched():
    """One that a `Checkpoint` has saved under that name."""

    @resumable(name="mine")
    def work():
        return 1

    def other():
        chp = Checkpoint("mine")
        chp.restore()
        chp.save()

    other()
    before = kept()

    with pytest.raises(RestoreError, match="not by a @resumable function"):
        work()
    assert kept() == before


def test_another_source_is_refused_and_another_python_too():
    """In one process: the functions have one name."""

    def made(text, **options):
        source = f"def work():\n    resume.save()\n    stop()\n    return {text}\n"
        name = f"<cell {text}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        names = {"__name__": "__main__", "stop": stopping.here, "resume": resume}
        exec(compile(source, name, "exec"), names)
        return resumable(name="work", **options)(names["work"])

    with pytest.raises(Cut):
        made(1)()

    with pytest.raises(CodeChangedError, match=r"-    return 1\n.*\+    return 2"):
        made(2)()
    assert made(2, on_change="restart")() == 2
