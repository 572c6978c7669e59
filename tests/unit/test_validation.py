"""Whether a generation fits the program that runs."""

from __future__ import annotations

import pytest
from crash.disk import draft

from resume.engine import Origin
from resume.errors import CodeChangedError, ConfigChangedError, ConfigError
from resume.settings import check_settings
from resume.types import BodyRef, Manifest
from resume.validation import check_generation

CODE = {
    "fingerprint": "aa",
    "python": "3.11",
    "source_digest": "s1",
    "tree": ["for"],
    "source": "def f():\n    a\n",
}


def manifest(**changes):
    body = BodyRef("b", 1, "00")
    plain = {"code": CODE, "config": None, "file": "train.py", "position": {}}
    made = draft(**{**plain, **changes})
    return Manifest(1, "x", "line", 7, None, 0.0, body, (body,), {}, made, "")


def origin(file="train.py", **code):
    return Origin("train", file, 1, {**CODE, **code})


def test_the_same_program():
    verdict = check_generation(manifest(), origin(), check_settings())

    assert verdict.is_same_code
    assert verdict.restart is None


def test_another_python_compares_the_source():
    """Bytecode differs between versions: the source tells, and where there is none the loops."""
    other = {"python": "3.13", "fingerprint": "bb"}

    assert check_generation(manifest(), origin(**other), check_settings()).is_same_code
    changed = origin(**other, source_digest="s2")
    assert not check_generation(manifest(), changed, check_settings()).is_same_code
    without = origin(**other, source_digest=None)
    assert check_generation(manifest(), without, check_settings()).is_same_code


def test_no_facts_no_complaint():
    """Objects and notebook cells have no code to compare."""
    assert check_generation(
        manifest(code={}), origin(tree=["while"]), check_settings()
    ).is_same_code


@pytest.mark.parametrize(
    ("saved", "now"), [("train.py", "train.py"), (None, "a.py"), ("a.py", None), (None, None)]
)
def test_files_that_do_not_contradict(saved, now):
    check_generation(manifest(file=saved), origin(file=now), check_settings())


def test_another_file():
    text = r"saved by train in train\.py, and this is train in b\.py"
    with pytest.raises(ConfigError, match=text):
        check_generation(manifest(), origin(file="b.py"), check_settings())


def test_same_loops(caplog):
    caplog.set_level("INFO", "resume")

    verdict = check_generation(manifest(), origin(fingerprint="bb"), check_settings())

    assert not verdict.is_same_code
    assert verdict.restart is None
    assert "since generation 7; its loops are the same" in caplog.text


def position(key):
    loop = {"key": key, "line": 1, "done": 1, "by_value": True, "item_digest": None}
    return {"door": "loop", "loops": [loop], "finished": [[]]}


OTHER = {"fingerprint": "bb", "tree": ["for", "for"], "source": "def f():\n    b\n"}


def test_other_loops():
    """The difference is in the text: of the source, or of the loops where there is no source."""
    with pytest.raises(CodeChangedError) as caught:
        check_generation(manifest(position=position("0")), origin(**OTHER), check_settings())
    assert "-    a" in str(caught.value)
    assert "+    b" in str(caught.value)

    with pytest.raises(CodeChangedError, match=r"loops saved: \['for'\], now: \['for', 'for'\]"):
        check_generation(manifest(), origin(**{**OTHER, "source": None}), check_settings())


def test_other_loops_and_named_ones():
    """Loops with names are found again whatever the others are."""
    verdict = check_generation(
        manifest(position=position("epochs")), origin(**OTHER), check_settings()
    )

    assert not verdict.is_same_code


def test_other_loops_as_told():
    restart = check_generation(manifest(), origin(**OTHER), check_settings(on_change="restart"))
    going_on = check_generation(manifest(), origin(**OTHER), check_settings(on_change="continue"))

    assert "have changed" in restart.restart
    assert going_on.restart is None
    assert not going_on.is_same_code


@pytest.mark.parametrize("saved", [None, {"lr": 0.1}, {"lr": 0.2, "x": 1}])
def test_another_config(saved):
    """Also where only one of the two has one."""
    with pytest.raises(ConfigChangedError, match="generation 7 of 'x'"):
        check_generation(manifest(config=saved), origin(), check_settings(config={"lr": 0.2}))


def test_a_config_that_may_differ():
    allowed = check_settings(config={"lr": 0.2, "log": {"a": 1}}, overridable=["l*"])

    check_generation(manifest(config={"lr": 0.1, "log": {"a": 2}}), origin(), allowed)
    with pytest.raises(ConfigChangedError):
        check_generation(manifest(config={"lr": 0.1, "n": 2}), origin(), allowed)
