"""All runs of a proof, one after the other, and what they show.

1. Plain python, twice: a program that differs from itself proves nothing about us.
2. `resume run`, undisturbed, as the user would run it: the overhead.
3. `resume run`, undisturbed, saving as often as the proof wants: how many saves there are.
4. `resume run`, killed at random moments and run again until it ends; then all of it once more from
   the beginning, until so many kills were made.

Each of them must leave what plain python left. The first that does not ends the proof.

A run lives, from where its own code began, for a random time of at most twice the mean that
spreads the kills over the whole duration; the mean is at least the time of some saves, or a short
program would never come further, and at most half of the duration, or nothing would be killed. A
run with nothing to go on from lives until its first save is to be expected, and then such a time: a
kill before that proves nothing. How long a run needs until its own code begins is known from
those before it; so some are killed while they come back, which has to be survived too.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Protocol

from resume.proving.comparing import Difference, Left, difference, written_in
from resume.proving.runs import Ended, Job, Stage

USUAL_RATE_S = 30.0
_LEAST_RATE_S = 0.02
_SAVES_A_KILL = 4
_LEAST_PATIENCE_S = 60.0
_ROUNDS_A_KILL = 3


class Verdict(Enum):
    """What the runs show."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NOT_COMPARABLE = "not comparable"
    """Two plain runs already differ, or the program does not end."""
    NEVER_SAVED = "never saved"
    """No run went on from a save: nothing is proved."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How it is to be proved."""

    kills: int
    seed: int
    rate_s: float | None = None
    """Seconds between two saves; None: chosen by the duration."""
    timeout_s: float | None = None
    """The longest that a run may take; None: what the first one takes decides."""


@dataclass(slots=True)
class Kills:
    """Kills, by when they came."""

    working: int = 0
    """When a state was saved, and the program's own code ran."""
    returning: int = 0
    """When a state was saved, and the run was about to go on from it."""
    unsaved: int = 0
    """When nothing was saved: they prove nothing."""

    @property
    def proving(self) -> int:
        """Those that prove something."""
        return self.working + self.returning

    @property
    def count(self) -> int:
        """All of them."""
        return self.proving + self.unsaved


@dataclass(slots=True)
class Proof:
    """What was found; fields of runs that were not made are empty."""

    plan: Plan
    verdict: Verdict = Verdict.NEVER_SAVED
    why: str = ""
    """Where it is not equal: what kind of run differed, or what was in the way."""
    difference: Difference | None = None
    last_words: str = ""
    """The last line on stderr of the run that differed, or of all, if they ended with an error."""
    code: int = 0
    stdout_bytes: int = 0
    written: list[str] = field(default_factory=list)
    """Files that the program wrote, changed or removed."""
    python_s: float = 0.0
    """Seconds of plain python."""
    python_cpu_s: float = 0.0
    resume_cpu_s: float = 0.0
    """Seconds of processors of an undisturbed `resume run`."""
    rate_s: float = 0.0
    saves: int = 0
    """In one undisturbed run at that rate."""
    rounds: int = 0
    """How often the program was brought from its beginning to its end under kills."""
    went_on: int = 0
    """How many runs began at a saved state."""
    kills: Kills = field(default_factory=Kills)
    postponed: Counter[str] = field(default_factory=Counter)
    """Over all runs under `resume run`."""
    warnings: list[str] = field(default_factory=list)
    """What these said that a user should know, each once."""


class Watcher(Protocol):
    """Sees how it goes."""

    def begins(self, what: str) -> None:
        """A run begins, or the first of those that are killed."""

    def ends(self, what: str) -> None:
        """It has ended; *what* tells how."""

    def was_killed(self, count: int) -> None:
        """So many kills were made by now."""


def prove(job: Job, plan: Plan, scratch: Path, watcher: Watcher) -> Proof:
    """Run *job* plainly, under `resume run` and under kills, and compare all that it leaves.

    Args:
        job: What is run.
        plan: How often it is killed, and the rest.
        scratch: A folder for the runs alone; `given` in it is what each of them begins with.
        watcher: Sees how it goes.
    """
    return _Course(job, plan, scratch, watcher).run()


class _Course:
    """The runs of one proof."""

    def __init__(self, job: Job, plan: Plan, scratch: Path, watcher: Watcher) -> None:
        self._plan, self._watcher = plan, watcher
        self._stage = Stage(scratch, job)
        self._proof = Proof(plan)
        self._dice = random.Random(plan.seed)  # noqa: S311 - no secret
        self._timeout_s = plan.timeout_s

    def run(self) -> Proof:
        """Do it all."""
        proof = self._proof
        plain = self._plain()
        if plain is not None and self._undisturbed(plain) and self._killed(plain):
            proof.verdict = Verdict.EQUAL if proof.went_on else Verdict.NEVER_SAVED
            if not proof.went_on:
                proof.why = "each kill came before there was a save to go on from"
        return proof

    # -- plain python

    def _plain(self) -> Left | None:
        first = self._fresh("python, first run", "plain", self._python)
        if first is None:
            return None
        ended, left = first
        proof = self._proof
        if self._timeout_s is None:
            self._timeout_s = _LEAST_PATIENCE_S + 10 * ended.seconds
        second = self._fresh("python, second run", "again", self._python)
        if second is None:
            return None
        again, other = second
        found = difference(left, other, titles=("in the first run", "in the second run"))
        if found is not None:
            self._judge(
                Verdict.NOT_COMPARABLE, "two runs of plain python differ already", again, found
            )
            return None
        proof.code, proof.stdout_bytes = ended.code, left.stdout.stat().st_size
        proof.last_words = ended.last_words if ended.code else ""
        proof.written = written_in(left.folder, self._stage.given)
        proof.python_s = min(ended.seconds, again.seconds)
        proof.python_cpu_s = min(ended.cpu_s, again.cpu_s)
        return left

    def _python(self) -> Ended:
        return self._stage.python(self._timeout_s)

    def _fresh(self, what: str, name: str, run: Callable[[], Ended]) -> tuple[Ended, Left] | None:
        """Make a run from the beginning to the end; None: it did not end."""
        self._watcher.begins(what)
        self._stage.clear()
        ended = run()
        if ended.was_too_long:
            verdict = Verdict.NOT_COMPARABLE if run == self._python else Verdict.DIFFERENT
            self._judge(verdict, f"{what}: it did not end in {ended.seconds:.3g} s", ended)
            return None
        saves = f", {ended.told.saves} saves" if ended.told.saves else ""
        self._watcher.ends(f"{what}: {ended.seconds:.2f} s{saves}")
        return ended, self._stage.take(name, ended)

    # -- under `resume run`

    def _undisturbed(self, plain: Left) -> bool:
        """Run it twice; whether it is worth killing."""
        proof = self._proof
        proof.rate_s = self._plan.rate_s or self._chosen_rate()
        usual = self._plan.rate_s or USUAL_RATE_S
        for rate_s in dict.fromkeys((usual, proof.rate_s)):
            what = f"resume run, a save every {rate_s:.3g} s"
            made = self._fresh(what, "resumed", partial(self._to_its_end, rate_s))
            if made is None:
                return False
            ended, left = made
            proof.resume_cpu_s = proof.resume_cpu_s or ended.cpu_s
            self._note(ended)
            if self._differs(plain, left, ended, "under `resume run`, without any kill"):
                return False
        proof.saves = ended.told.saves
        self._work_s = max(ended.seconds - (ended.start_s or 0.0), 0.01)
        self._start_s = ended.start_s or 0.0
        self._first_s = ended.first_save_s or self._start_s
        if not proof.saves:
            proof.last_words = ""
            proof.why = f"no save was made in the {self._work_s:.2f} s that it worked"
            if not proof.postponed:
                proof.why += ": let it work longer"
                proof.why += ", or give a shorter --rate" if self._plan.rate_s else ""
        return proof.saves > 0

    def _to_its_end(self, rate_s: float) -> Ended:
        return self._stage.resumed(rate_s, kill_after_s=None, timeout_s=self._timeout_s)

    def _chosen_rate(self) -> float:
        wanted = self._proof.python_s / (_SAVES_A_KILL * self._plan.kills)
        digits = 2 - math.ceil(math.log10(max(wanted, _LEAST_RATE_S)))
        return round(min(max(wanted, _LEAST_RATE_S), USUAL_RATE_S), digits)

    # -- under kills

    def _killed(self, plain: Left) -> bool:
        """Kill it again and again; whether all was equal."""
        proof, wanted = self._proof, self._plan.kills
        self._watcher.begins(f"resume run, killed {wanted} times")
        while proof.kills.proving < wanted and proof.rounds < _ROUNDS_A_KILL * wanted:
            self._stage.clear()
            before = proof.kills.count
            ended = self._until_its_end()
            proof.rounds += 1
            what = f"killed {proof.kills.count - before} times, and run again"
            if ended.was_too_long:
                why = f"{what}, it did not end in {ended.seconds:.3g} s"
                self._judge(Verdict.DIFFERENT, why, ended)
                return False
            if self._differs(plain, self._stage.take("killed", ended), ended, what):
                return False
        self._watcher.ends(f"resume run, killed {proof.kills.count} times")
        return True

    def _until_its_end(self) -> Ended:
        kills = self._proof.kills
        return_s = 2 * self._start_s  # a guess, until one has come back
        while True:
            is_saved = self._stage.has_state()
            life_s = None
            if kills.proving < self._plan.kills:
                life_s = self._drawn_s() + (return_s if is_saved else self._first_s)
            ended = self._stage.resumed(
                self._proof.rate_s, kill_after_s=life_s, timeout_s=self._timeout_s
            )
            self._note(ended)
            if not is_saved:
                self._first_s = ended.first_save_s or 1.5 * self._first_s
            if not ended.was_killed:
                return ended
            has_begun = ended.start_s is not None
            if not self._stage.has_state():
                kills.unsaved += 1
                self._stage.clear()
            elif has_begun:
                kills.working += 1
            else:
                kills.returning += 1
            if is_saved:
                return_s = ended.start_s or 2 * return_s
            self._watcher.was_killed(kills.proving)

    def _drawn_s(self) -> float:
        a_save_s = self._work_s / self._proof.saves
        mean_s = max(self._work_s / self._plan.kills, _SAVES_A_KILL * a_save_s)
        return self._dice.uniform(0.0, 2 * min(mean_s, self._work_s / 2))

    # -- what was found

    def _note(self, ended: Ended) -> None:
        proof = self._proof
        proof.postponed += ended.told.postponed
        proof.went_on += ended.told.gone_on_from is not None
        for line in ended.stderr.splitlines():
            if line.startswith("⚠ ") and line not in proof.warnings:
                proof.warnings.append(line)

    def _differs(self, plain: Left, left: Left, ended: Ended, what: str) -> bool:
        found = difference(plain, left, titles=("with plain python", what))
        if found is not None:
            self._judge(Verdict.DIFFERENT, what, ended, found)
        return found is not None

    def _judge(
        self, verdict: Verdict, why: str, ended: Ended, found: Difference | None = None
    ) -> None:
        proof = self._proof
        proof.verdict, proof.why, proof.difference = verdict, why, found
        proof.last_words = ended.last_words
