"""What people see: one line on stderr, only where they configured nothing themselves."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from resume import ResumeWarning, notices

PROGRAM = """
    import logging, sys
    from resume import Checkpoint

    {before}

    def fit():
        i = 1
        chp = Checkpoint(clean=True)
        chp.restore()
        chp.save()
        {after}
        again = Checkpoint("fit2", clean=True)
        again.restore()

    fit()
    fit()
"""
LINE = "starting anew (clean=True); what was there is set aside"


def lines(done):
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if LINE in line]


def run(run_program, before="", after=""):
    return run_program(PROGRAM.replace("{before}", before).replace("{after}", after))


def test_a_program_without_logging_gets_lines_on_stderr(run_program):
    """One line per event, plain, and nothing on stdout."""
    done = run(run_program)

    assert lines(done) == [f"fit: {LINE}"]
    assert done.stdout == ""


def test_a_program_with_logging_gets_each_line_once_in_its_own_format(run_program):
    before = 'logging.basicConfig(level="INFO", format="%(name)s/%(levelname)s/%(message)s")'

    done = run(run_program, before)

    assert lines(done) == [f"resume/INFO/fit: {LINE}"]


def test_a_program_that_knows_nothing_of_us_finds_no_line_of_ours_in_its_log(run_program):
    """Whatever it logs, and wherever to: our lines are on stderr."""
    before = 'logging.basicConfig(filename="log", level="INFO", format="%(name)s")'
    apart = "from resume import notices; notices.install(apart=True)"

    done = run(run_program, f"{before}; logging.info(1); {apart}")

    assert lines(done) == [f"fit: {LINE}"]
    assert (Path.cwd() / "log").read_text() == "root\n"


def test_a_program_that_configures_logging_later(run_program):
    """From then on its own handler speaks, and ours is still."""
    done = run(run_program, after='logging.basicConfig(format="own %(message)s")')

    assert lines(done) == [f"own fit: {LINE}"]


def test_a_handler_on_our_logger_is_enough(run_program):
    before = "logging.getLogger('resume').addHandler(logging.StreamHandler(sys.stdout))"

    done = run(run_program, before)

    assert lines(done) == []
    assert LINE in done.stdout


def test_a_level_set_by_the_program_stays(run_program):
    done = run(run_program, "logging.getLogger('resume').setLevel('ERROR')")

    assert lines(done) == []


@pytest.mark.parametrize(("value", "count"), [("1", 0), ("0", 1), ("", 1)])
def test_quiet(run_program, monkeypatch, value, count):
    """RESUME_QUIET=1 silences every line."""
    monkeypatch.setenv("RESUME_QUIET", value)

    assert len(lines(run(run_program))) == count


def test_an_ascii_terminal_is_no_error(run_program, monkeypatch):
    """Lines with signs that the terminal has not are shown all the same."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    source = """
        import sys
        sys.stderr.reconfigure(errors="strict")
        from resume import Checkpoint

        def fit():
            epoch = 3
            chp = Checkpoint()
            chp.restore()
            chp.save()

        fit()
    """
    run_program(source)

    done = run_program(source)

    assert done.returncode == 0
    assert "? resuming fit: epoch=3" in done.stderr


GONE = """
    class Gone:
        encoding = "utf-8"
        def write(self, text):
            raise OSError(5, "the terminal is gone")
        def flush(self):
            pass
    sys.stderr = Gone()
"""


@pytest.mark.parametrize("what", ["sys.stderr = None", GONE])
def test_a_stderr_that_is_gone_is_no_error(run_program, what):
    """A job outlives the terminal that it was started from."""
    assert run(run_program, what).returncode == 0


def test_a_warning_points_at_the_users_line():
    """The innermost frame that is not the library's; the same one at the same line shows once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default", ResumeWarning)
        for _ in range(3):
            notices.warn("careful")

    [one] = caught
    assert one.filename == __file__
    assert one.category is ResumeWarning
    with open(__file__, encoding="utf-8") as source:
        assert "notices.warn(" in source.read().splitlines()[one.lineno - 1]


def test_a_warning_can_be_an_error():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResumeWarning)
        with pytest.raises(ResumeWarning, match="careful"):
            notices.warn("careful")
