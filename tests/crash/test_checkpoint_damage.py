"""Damaged files: the parent generation or an error, and not one damaged byte reaches the unpickler.

Every generation holds an object whose unpickling leaves a file behind, with the generation's own
number: that file tells which of them was unpickled.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from resume import Checkpoint, IntegrityError

PLACES = 40
"""Regions of a file that are damaged one after the other."""


class Mine:
    """Steps on nothing until it is unpickled."""

    def __init__(self, number):
        self.number = number

    def __reduce__(self):
        return stepped_on, (self.number,)


def stepped_on(number):
    Path(f"unpickled-{number}").touch()
    return Mine(number)


def work(generations=0):
    """Save so many generations; without any, bring the newest back."""
    number, mine = 0, None
    constant = np.arange(50_000.0)
    chp = Checkpoint("work", folder="store", keep=5, fsync=False)
    chp.restore()
    while generations:
        generations -= 1
        number += 1
        mine = Mine(number)
        chp.save()
    return number, float(constant.sum()), mine and mine.number


@pytest.fixture
def store(tmp_path):
    """Two generations; the second leans on the body of the first for its array."""
    work(2)
    shutil.copytree("store", "whole")
    return Path("store/work")


def again(caplog):
    """Bring back what is left; what was unpickled, and what was said."""
    for old in Path().glob("unpickled-*"):
        old.unlink()
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="resume"):
        try:
            found = work()
        except IntegrityError:
            found = None
    seen = sorted(int(path.name.partition("-")[2]) for path in Path().glob("unpickled-*"))
    shutil.rmtree("store")
    shutil.copytree("whole", "store")
    return found, seen, caplog.text


def path_of(store, number, suffix):
    (path,) = [one for one in store.glob(f"{number:08d}*") if one.name.endswith(suffix)]
    return path


def regions(path, last=1):
    size = path.stat().st_size - last + 1
    return sorted({min(size - 1, size * part // PLACES) for part in range(PLACES + 1)})


def test_whole_files_bring_the_newest_back(store, caplog):
    assert again(caplog) == ((2, np.arange(50_000.0).sum(), 2), [2], "")


@pytest.mark.parametrize("suffix", [".ckpt", ".json"])
@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_any_damage_to_the_newest_leads_to_its_parent(store, caplog, suffix, damage):
    """A body or a manifest with one bit flipped, or cut off, at each of its regions."""
    # without the line feed at its end a manifest is as whole as before
    for offset in regions(path_of(store, 2, suffix), last=1 if damage == "flip" else 2):
        path = path_of(store, 2, suffix)
        if damage == "flip":
            with path.open("r+b") as file:
                file.seek(offset)
                byte = file.read(1)[0]
                file.seek(offset)
                file.write(bytes([byte ^ 4]))
        else:
            os.truncate(path, offset)

        found, seen, said = again(caplog)

        assert (found, seen) == ((1, np.arange(50_000.0).sum(), 1), [1]), (offset, said)
        assert "passed over" in said


@pytest.mark.parametrize("suffix", [".ckpt", ".json"])
def test_files_of_another_generation_in_its_place(store, caplog, suffix):
    shutil.copyfile(path_of(store, 1, suffix), path_of(store, 2, suffix))

    found, seen, said = again(caplog)

    assert (found, seen) == ((1, np.arange(50_000.0).sum(), 1), [1])
    assert "passed over" in said


def test_damage_to_what_both_stand_on_is_an_error(store, caplog):
    """The array lies in the first body alone: no generation is whole, and nothing is unpickled."""
    path = path_of(store, 1, ".ckpt")
    for offset in regions(path)[10:-10:5]:
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(b"\0damaged")

        found, seen, _ = again(caplog)

        assert (found, seen) == (None, []), offset
