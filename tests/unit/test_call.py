"""The call that a state belongs to, and names made of it."""

from __future__ import annotations

import sys

import pytest

from resume.call import argument_values, fill_name, is_simple, rank, record_call, show_call
from resume.errors import ConfigError


@pytest.mark.parametrize("value", [None, True, 1, 1.5, 1j, "a", b"a", (), (1, ("a", None))])
def test_simple_arguments(value):
    assert is_simple(value)


@pytest.mark.parametrize("value", [[1], {}, {1}, object(), (1, [2]), int, range(3)])
def test_no_simple_arguments(value):
    assert not is_simple(value)


def test_a_subclass_is_not_simple():
    """An IntEnum or a named tuple may hold more than its value."""

    class Level(int):
        pass

    assert not is_simple(Level(3))


def arguments_of(a, /, b, *rest, c=3, **more):
    local = "not an argument"
    frame = sys._getframe()
    return argument_values(frame.f_code, frame.f_locals)


def test_the_arguments_of_a_call():
    """All kinds of parameters; `**kwargs` one by one, so that each can be simple or not."""
    found = arguments_of(1, 2, 5, 6, c=4, d=[7])

    assert found == {"a": 1, "b": 2, "rest": (5, 6), "c": 4, "more['d']": [7]}


def test_a_call_is_told_by_simple_values_and_their_types():
    same = record_call({"n": 1, "data": [1]})

    assert same.digest == record_call({"data": [2], "n": 1}).digest
    assert same.digest != record_call({"n": 2, "data": [1]}).digest
    assert same.digest != record_call({"n": True, "data": [1]}).digest
    assert same.digest != record_call({"n": 1.0, "data": [1]}).digest
    assert same.digest != record_call({"m": 1, "data": [1]}).digest


def test_secrets_are_masked_where_they_are_shown_and_tell_calls_apart():
    """The digest is of the true value: another token is another call."""
    names = ("api_key", "token", "PASSWORD", "db_passwd", "client_secret", "credentials")

    for name in names:
        call = record_call({name: "s3cr3t"})
        assert call.shown == {name: "***"}
        assert "s3cr3t" not in str(call.to_json())
        assert call.digest != record_call({name: "other"}).digest


def test_long_values_are_shown_short():
    shown = record_call({"text": "x" * 500}).shown["text"]

    assert len(shown) == 60
    assert shown.endswith("…")


def test_templates(monkeypatch):
    """Function, simple arguments with formats, rank, date and environment."""
    monkeypatch.setenv("JOB", "j7")
    given = {"fold": 3, "lr": 0.001, "tag": "a b"}

    assert fill_name("{function}-{fold}", "train", given) == "train-3"
    assert fill_name("{fold:03d}/{lr:.0e}", "train", given) == "003/1e-03"
    assert fill_name("{tag!r}-{env:JOB}-{rank}", "train", given) == "'a b'-j7-0"
    assert len(fill_name("{date}", "train", {})) == len("2026-01-31")
    assert fill_name("100%{{x}}", "train", {}) == "100%{x}"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{other}", "{other} is unknown here; usable: date, env:VAR, fold, function, rank"),
        ("{data}", "{data} is no simple value"),
        ("{env:NO_SUCH_VARIABLE}", "NO_SUCH_VARIABLE"),
        ("{fold", "is no template"),
        ("", "empty name"),
        ("{fold:nonsense}", "{fold:nonsense}"),
        (b"x", "name=b'x'"),
    ],
)
def test_templates_that_cannot_be_filled(template, text):
    with pytest.raises(ConfigError) as caught:
        fill_name(template, "train", {"fold": 3, "data": []})

    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "number"),
    [
        ({}, 0),
        ({"RANK": "3"}, 3),
        ({"OMPI_COMM_WORLD_RANK": "2"}, 2),
        ({"PMI_RANK": "1"}, 1),
        ({"RANK": "x", "PMIX_RANK": "4"}, 4),
        ({"SLURM_PROCID": "5"}, 0),
        ({"SLURM_PROCID": "5", "SLURM_NTASKS": "1"}, 0),
        ({"SLURM_PROCID": "5", "SLURM_NTASKS": "8"}, 5),
    ],
)
def test_ranks(environment, number):
    assert rank(environment) == number


def test_a_line_of_its_own_is_shown_as_its_call():
    assert show_call("train@3f2a91c0", {"fold": "1", "tag": "'a'"}) == "train(fold=1, tag='a')"
