"""The timer: a statement of the program is found when a save is due, and nothing else changes."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from resume.reentry.arm import Alarm
from resume.reentry.program import Program
from resume.rewrite import Helpers, rewrite
from resume.script.options import NoSaving, RunOptions

HAS_MONITORING = sys.version_info >= (3, 12)

BUSY = """
import time

def inner(n):
    total = 0
    for i in range(n):
        total += i
        total -= 1
    return total

def main():
    until = time.monotonic() + 20
    while not enough() and time.monotonic() < until:
        inner(50)

main()
after = 1
"""


@dataclass
class Armed:
    """A program that runs with an alarm, and the points that it was asked at."""

    source: str
    answer: Callable[[int], bool] = lambda count: True
    wait_s: float | None = 0.02
    during: Callable[[Armed, FrameType], None] = lambda armed, frame: None
    options: dict[str, Any] = field(default_factory=dict)
    points: list[tuple[str, int]] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)
    enough: int = 3
    tracer: Any = None
    """Holds the trace function while the program runs."""

    def run(self) -> Armed:
        path = Path.cwd() / "armed.py"
        path.write_text(self.source)
        helpers = Helpers(**NoSaving(RunOptions("armed.py")).helpers())
        module = rewrite(self.source, str(path), helpers)
        program = Program()
        self.names |= {"__name__": "armed", "enough": self.is_enough, "armed": self}
        program.add("armed", module, self.names)
        options = {"retry_s": 0.01, **self.options}
        self.alarm = Alarm(lambda: program, self.at_point, lambda: self.wait_s, **options)
        self.alarm.start()
        before = sys.gettrace()  # a measuring run (coverage) holds the trace function
        sys.settrace(self.tracer)
        try:
            exec(module.code, self.names)
        finally:
            self.held = sys.gettrace()
            sys.settrace(before)
            self.alarm.stop()
        return self

    def is_enough(self) -> bool:
        return len(self.points) >= self.enough

    def at_point(self, frame: FrameType) -> bool:
        self.points.append((frame.f_code.co_name, frame.f_lineno))
        self.during(self, frame)
        return self.answer(len(self.points))


def is_quiet(frame: FrameType | None) -> bool:
    """Nothing of ours hangs in the frames, and nobody traces."""
    taken = HAS_MONITORING and any(map(sys.monitoring.get_tool, (4, 3)))
    if frame is not None and sys.gettrace() is not None:
        return False
    while frame is not None and frame.f_code.co_filename.endswith("armed.py"):
        if frame.f_trace is not None:
            return False
        frame = frame.f_back
    return not taken


def test_it_asks_at_statements_of_the_program_and_leaves_nothing_behind():
    """The line is one where a statement begins; at the point and afterwards no events are on."""
    quiet = []
    armed = Armed(BUSY, during=lambda _, frame: quiet.append(is_quiet(frame))).run()

    lines = {
        ("inner", 5), ("inner", 6), ("inner", 7), ("inner", 8), ("inner", 9),
        ("main", 13), ("main", 14), ("<module>", 16), ("<module>", 17),
    }  # fmt: skip
    assert len(armed.points) >= 3
    assert set(armed.points) <= lines
    assert all(quiet)
    assert is_quiet(None)
    assert not armed.alarm.reasons


def test_a_refused_point_is_followed_by_the_next_one():
    """What `at_point` refuses costs one line, not a whole interval."""
    armed = Armed(BUSY, answer=lambda count: count % 5 == 0, wait_s=0.3, enough=5)
    begin = time.monotonic()
    armed.run()

    assert len(armed.points) == 5
    assert time.monotonic() - begin < 10


def test_it_gives_up_after_some_lines_and_asks_again_later():
    """A program where no line will do is not slowed down for ever."""
    armed = Armed(BUSY, answer=lambda _: False, options={"most_lines": 4}, enough=9).run()

    reasons = armed.alarm.reasons
    assert reasons["no statement that was met could be gone on from"] >= 1
    assert set(reasons) == {"no statement that was met could be gone on from"}
    assert is_quiet(None)


def test_what_blocks_in_c_code_is_asked_when_it_is_back():
    """A sleep is not cut short, and the statement behind it is the point."""
    source = (
        "import time\nbegin = time.monotonic()\ntime.sleep(0.3)\nslept = time.monotonic()\nx = 1\n"
    )
    armed = Armed(source, wait_s=0.05).run()

    assert armed.names["slept"] - armed.names["begin"] >= 0.3
    assert ("<module>", 4) in armed.points
    assert ("<module>", 3) not in armed.points


def test_only_the_main_thread_is_asked():
    """Another thread that runs code of the program goes on undisturbed."""
    source = """
import threading, time
seen = []
def work():
    until = time.monotonic() + 0.4
    while time.monotonic() < until:
        seen.append(1)
thread = threading.Thread(target=work)
thread.start()
thread.join()
x = 1
"""
    armed = Armed(source, wait_s=0.1).run()

    assert {name for name, _ in armed.points} <= {"<module>"}
    assert ("<module>", 11) in armed.points


@pytest.mark.skipif(HAS_MONITORING, reason="sys.monitoring is used")
def test_a_held_trace_function_is_left_alone_and_said():
    """A debugger gets all its events; the save waits, and the reason is counted."""
    events = []

    def debugger(frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_name == "inner":
            events.append(event)
        return debugger

    source = BUSY.replace("not enough()", "not armed.alarm.reasons")
    armed = Armed(source, tracer=debugger).run()

    assert armed.held is debugger
    assert not armed.points
    assert set(armed.alarm.reasons) == {"a debugger or coverage holds the trace function"}
    assert {"call", "line", "return"} <= set(events)


@pytest.mark.skipif(not HAS_MONITORING, reason="needs sys.monitoring")
def test_beside_a_debugger_points_are_found_and_it_gets_all_its_events():
    """The debugger sees every line, before and after the points, and its function stays."""
    lines = []

    def debugger(frame: FrameType, event: str, arg: object) -> Any:
        if event == "line" and frame.f_code.co_name == "inner":
            lines.append(frame.f_lineno)
        return debugger

    armed = Armed(BUSY, tracer=debugger).run()

    assert armed.held is debugger
    assert len(armed.points) >= 3
    assert lines[:4] == [5, 6, 7, 8]
    # every turn of the loop gave its three lines
    assert lines.count(7) == lines.count(8)


@pytest.mark.skipif(not HAS_MONITORING, reason="needs sys.monitoring")
def test_where_all_tools_are_taken_it_says_so():
    """Nobody's tool is taken away."""
    taken = [tool for tool in range(6) if sys.monitoring.get_tool(tool) is None]
    for tool in taken:
        sys.monitoring.use_tool_id(tool, "somebody")
    try:
        armed = Armed(BUSY.replace("not enough()", "not armed.alarm.reasons")).run()
        left = {sys.monitoring.get_tool(tool) for tool in taken}
    finally:
        for tool in taken:
            sys.monitoring.free_tool_id(tool)

    assert left == {"somebody"}
    assert set(armed.alarm.reasons) == {"all tools of sys.monitoring are taken"}
    assert not armed.points


def test_what_hung_in_the_frames_hangs_there_again():
    """A trace function of one frame, or what else lies in `f_trace`, survives."""
    source = BUSY.replace("    until", "    mark()\n    until", 1)
    marks = []

    def mark() -> None:
        frame = sys._getframe(1)
        frame.f_trace = marker
        marks.append(frame)

    def marker(*_: object) -> None:
        return None

    def look(_: Armed, frame: FrameType) -> None:
        found.extend(each.f_trace for each in marks)

    found: list[Any] = []
    Armed(source, during=look, names={"mark": mark}).run()

    assert found
    assert set(found) == {marker}


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, ValueError])
def test_what_a_save_raises_goes_on_in_the_program(kind):
    """Ctrl-C in a save, or leaving after it, is raised at the statement where it was made."""

    def interrupt(_: Armed, frame: FrameType) -> None:
        raise kind(5)

    armed = Armed(BUSY, during=interrupt)
    with pytest.raises(kind) as caught:
        armed.run()

    shown = [frame.name for frame in traceback.extract_tb(caught.tb)]
    assert len(armed.points) == 1
    assert is_quiet(None)
    if kind is not ValueError:
        assert shown[-1] == armed.points[0][0]
        assert armed.points[0][1] == traceback.extract_tb(caught.tb)[-1].lineno


def test_the_program_goes_on_after_what_a_save_raised_was_caught():
    """Later saves are asked for as before."""
    source = BUSY.replace(
        "main()\nafter", "try:\n    main()\nexcept ValueError:\n    main()\nafter"
    )

    def fail_once(armed: Armed, frame: FrameType) -> None:
        if len(armed.points) == 1:
            raise ValueError

    armed = Armed(source, during=fail_once, enough=3).run()

    assert len(armed.points) >= 3


def test_code_of_the_program_that_a_save_calls_is_no_point():
    """No save begins inside a save, even if one is asked for."""
    depth, deepest, quiet = [0], [], []

    def save(armed: Armed, frame: FrameType) -> None:
        depth[0] += 1
        deepest.append(depth[0])
        armed.alarm.ask()
        until = time.monotonic() + 0.1
        while time.monotonic() < until:
            armed.names["inner"](50)
        depth[0] -= 1
        quiet.append(is_quiet(frame))

    Armed(BUSY, during=save).run()

    assert set(deepest) == {1}
    assert all(quiet)


def test_a_save_can_be_asked_for():
    """Without a rate, `ask` alone makes one due; from any thread."""
    armed = Armed(BUSY, wait_s=None, enough=1)
    asking = threading.Timer(0.1, lambda: armed.alarm.ask())
    asking.start()
    armed.run()
    asking.join()

    assert len(armed.points) == 1


def test_a_function_that_is_entered_meanwhile_is_a_place_too():
    """Where the statement that runs calls on and on, the point is inside."""
    source = """
def deep(n):
    if n == 0:
        return wait()
    return deep(n - 1)
value = deep(40)
x = 1
"""

    def wait() -> int:
        armed.alarm.ask()
        time.sleep(0.1)
        return 7

    armed = Armed(source, wait_s=None, names={"wait": wait})
    armed.run()

    assert armed.names["value"] == 7
    assert armed.points


def test_points_are_found_in_generators_and_comprehensions():
    """Frames that come and go while lines are looked at are put right."""
    source = """
import time
def numbers(n):
    for i in range(n):
        x = i + 1
        yield x
def total(n):
    return sum([later(i) for i in numbers(n)])
def later(i):
    for _ in range(3):
        i += 1
    return i
until = time.monotonic() + 20
while not enough() and time.monotonic() < until:
    result = total(20)
"""
    wanted = {"numbers", "later"}
    armed = Armed(source, answer=lambda count: count % 7 == 0)
    armed.is_enough = lambda: wanted <= {name for name, _ in armed.points}
    armed.run()

    assert wanted <= {name for name, _ in armed.points}
    assert armed.names["result"] == sum(range(1, 21)) + 60
    assert is_quiet(None)


def test_a_program_in_foreign_code_is_left_alone():
    """Where the program is in a library for long, it is not slowed down for ever (3.11)."""
    source = """
import time
def step(i):
    for _ in range(1):
        i += 1
    return i
library(step)
x = 1
"""

    def library(step: Callable[[int], int]) -> None:
        def small() -> None:
            pass

        armed.alarm.ask()
        until = time.monotonic() + 20
        while not armed.alarm.reasons and not armed.points and time.monotonic() < until:
            for _ in range(1000):
                small()

    armed = Armed(source, wait_s=None, options={"patience_s": 0.05}, names={"library": library})
    armed.enough = 1
    if HAS_MONITORING:
        threading.Timer(0.3, lambda: armed.alarm.reasons.update(["waited"])).start()
    armed.run()

    assert armed.alarm.reasons
    assert is_quiet(None)


def test_where_nothing_of_the_program_runs_it_waits():
    """Without a frame of the program in the main thread there is nothing to save."""
    armed = Armed("x = 1\n", wait_s=0.01).run()
    program = armed.alarm._program()
    alarm = Alarm(lambda: program, lambda frame: True, lambda: 0.01, retry_s=0.01)
    alarm.start()
    until = time.monotonic() + 20
    while not alarm.reasons and time.monotonic() < until:
        time.sleep(0.01)
    alarm.stop()

    assert set(alarm.reasons) == {"no code of the program runs in the main thread"}


def test_its_thread_is_not_counted_and_ends():
    """The program does not see it among its threads; after `stop` the system does not either."""
    tasks = Path("/proc/self/task")
    counts = []

    def look(_: Armed, frame: FrameType) -> None:
        counts.append((threading.active_count(), len(os.listdir(tasks)) if tasks.exists() else 0))

    before = threading.active_count(), len(os.listdir(tasks)) if tasks.exists() else 0
    Armed(BUSY, during=look).run()
    after = threading.active_count(), len(os.listdir(tasks)) if tasks.exists() else 0

    assert after == before
    assert {count for count, _ in counts} == {before[0]}


def test_a_fork_finds_no_thread_and_the_child_is_not_asked():
    """`fork` warns of threads from 3.12 on (here: an error); parent and child go on alike."""
    source = """
import os, time
child = os.fork()
if child == 0:
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        for i in range(10):
            pass
    os._exit(40 + armed.is_enough())
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
until = time.monotonic() + 20
while not enough() and time.monotonic() < until:
    for i in range(10):
        pass
"""
    running = len(os.listdir("/proc/self/task")) if Path("/proc/self/task").exists() else 1
    if running > 1:
        pytest.skip("another thread runs here")
    armed = Armed(source, wait_s=0.05, enough=2).run()

    assert armed.names["code"] == 40
    assert len(armed.points) >= 2
