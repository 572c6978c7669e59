"""Files that a killed run went on to change behind its last save: put back, or told."""

from __future__ import annotations

import pytest
from reruns import resumed, run

pytestmark = pytest.mark.untraced  # a tracer holds off saves on 3.11

IN_PLACE = """
import os, resume

def double():
    "Every number of the file, where it stands; the run dies where a file says so."
    with open("numbers", "r+") as numbers:
        while line := numbers.readline():
            place = numbers.tell()
            numbers.seek(place - len(line))
            numbers.write(f"{2 * int(line):06d}\\n")
            numbers.seek(place)
            if int(line) == 40:
                resume.save()
            if int(line) == 70 and os.path.exists("die"):
                numbers.flush()
                os.unlink("die")
                os.kill(os.getpid(), 9)
    with open("numbers") as numbers:
        return sum(map(int, numbers))

with open("numbers", "w") as numbers:
    numbers.writelines(f"{n:06d}\\n" for n in range(100))
print(double())
"""

WRITTEN_ANEW = """
import os, resume

def total(turn):
    with open("numbers") as numbers:
        first = int(numbers.readline())
        if turn == 2:
            resume.save()
        return first + sum(map(int, numbers))

for turn in range(6):
    with open("numbers", "w") as numbers:
        numbers.writelines(f"{n * turn:06d}\\n" for n in range(100))
    if turn == 4 and os.path.exists("die"):
        os.kill(os.getpid(), 9)
    print(total(turn), flush=True)
"""


def test_what_was_changed_in_place_is_changed_once(tmp_path):
    (tmp_path / "script.py").write_text(IN_PLACE)
    run(tmp_path, "script.py", log="plain")
    expected = (tmp_path / "plain").read_text(), (tmp_path / "numbers").read_bytes()
    (tmp_path / "die").touch()
    assert resumed(tmp_path, "script.py").returncode == -9
    assert (tmp_path / "numbers").read_bytes() != expected[1]

    last = resumed(tmp_path, "script.py")

    assert last.returncode == 0, last.stderr
    assert "resuming script" in last.stderr
    assert ((tmp_path / "log").read_text(), (tmp_path / "numbers").read_bytes()) == expected


def test_a_file_that_was_written_anew_while_it_was_read_is_refused(tmp_path):
    """Not read on as if it were the one of the save; put back, the program goes on."""
    (tmp_path / "script.py").write_text(WRITTEN_ANEW)
    (tmp_path / "die").touch()
    assert resumed(tmp_path, "script.py").returncode == -9
    (tmp_path / "die").unlink()
    (tmp_path / "log").write_text("0\n4950\n")  # what was printed up to the save

    refused = resumed(tmp_path, "script.py")

    assert refused.returncode == 50
    assert "numbers, which the program was reading, does not hold any more" in refused.stderr
    assert "Put the file back as it was" in refused.stderr
    assert "Traceback" not in refused.stderr

    (tmp_path / "numbers").write_text("".join(f"{n * 2:06d}\n" for n in range(100)))
    assert resumed(tmp_path, "script.py").returncode == 0
    assert (tmp_path / "log").read_text().split() == ["0", *(str(4950 * k) for k in range(1, 6))]
