"""Programs are stopped at their lines, saved as bytes, and go on from these in a new module."""

from __future__ import annotations

import itertools
import json
import sys
import types

import pytest
import stopping  # noqa: F401 - it finds the folder of `rewriting`
from rewriting import hide
from stack_programs import PROGRAMS
from stopping import CONSTRUCTS, Machine, quiet_heap

from resume.errors import UnpicklableError
from resume.pickling import encode
from resume.reentry.contexts import Entered, delegate
from resume.reentry.entering import Entering
from resume.reentry.fields import suspension_of
from resume.reentry.iterators import SAVABLE, Iteration, again
from resume.reentry.making import Making
from resume.reentry.putting import define, prepare, put_back
from resume.reentry.roots import ProgramState
from resume.reentry.walking import generator_record
from resume.rewrite import Helpers, rewrite
from resume.snapshot import Scene, capture, revive
from resume.types import Content

CODES = [delegate.__code__]


class Saving(Machine):
    """Goes on from bytes, in another module of the same name."""

    def __post_init__(self):
        self.entering = Entering(self.program, where=suspension_of)
        self.helpers = helpers(self.program, self.entering)
        self.module = rewrite(self.source, f"<{self.name}>", self.helpers)
        self._held, self._old = [], []
        self.state = ProgramState(
            self.program,
            lambda generator: generator_record(self.program, generator),
        )

    def start(self, **given):
        held = super().start(**given)
        module = types.ModuleType(self.name)
        sys.modules[self.name] = module
        module.__dict__.update(self.names)
        self.names = module.__dict__
        self.program.add(self.name, self.module, self.names)
        return held

    def walk(self, frame, **options):
        return super().walk(frame, passed_over=CODES, **options)

    def save(self, stack):
        frames = stack.frames
        taken = self.state.take(frames, stack.running)
        while skipped := encode(taken.roots, look=taken.look).skipped:
            taken = self.state.without(taken, skipped, frames, stack.running)
        snapshot = capture(Scene(taken.roots, look=taken.look), reducers={})
        buffers = [memoryview(bytearray(b.view)) for b in snapshot.encoded.buffers]
        return json.loads(json.dumps(taken.layout)), Content(snapshot.encoded.stream, buffers)


def helpers(program, entering):
    return Helpers(
        types=SAVABLE,
        iterate=Iteration(program).iterate,
        hide=hide,
        following=entering.following,
        entered=Entered,
        again=again,
        delegate=delegate,
    )


def restored(source, name, layout, content):
    prepare(layout)
    machine = Saving(source, name)
    module = types.ModuleType(name)
    sys.modules[name] = module
    machine.names = vars(module)
    machine.program.add(name, machine.module, machine.names)
    define(machine.program, name, layout)
    entering = machine.entering
    making = Making(machine.program, entering.begin_generator, entering.bring_to_yield)
    found = revive(content, loops=0, live={}, own={"program": making})
    frames = put_back(machine.program, layout, {**found.names, **found.hidden}, making)
    entering.take(frames)
    machine.log = machine.names["log"]
    return machine, machine.hold(entering.enter)


ALL = {**CONSTRUCTS, **PROGRAMS}


@pytest.mark.shared
@pytest.mark.parametrize("name", ALL)
def test_any_line_of_a_program_is_saved_and_goes_on(name):
    source = ALL[name]
    from stopping import plain_log

    expected = plain_log(source)
    reached = 0
    refused = set()
    with quiet_heap():
        for lines in itertools.count(1, 3):
            machine = Saving(source, "program")
            held = machine.start()
            stack = machine.stop(held, lines)
            if stack is None:
                machine.leave()
                break
            try:
                layout, content = machine.save(stack)
            except UnpicklableError as why:
                refused.add(str(why))
                machine.leave()
                continue
            finally:
                stack = None
            machine.leave()
            reached += 1
            other, again_held = restored(source, "program", layout, content)
            again_held.finish()
            assert expected == other.log, lines
            other.leave()
    print(name, reached, refused)
    assert reached or not expected
    assert not refused
