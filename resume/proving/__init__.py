"""Find out whether a script goes on rightly: run it plainly, kill it at random, and compare.

- `copies.py`: a copy of the folder that the script works in.
- `runs.py`: one run, with plain python or under `resume run`, killed or not.
- `told.py`: what a run has told of itself.
- `comparing.py`: what two runs left, and the first difference.
- `proof.py`: all runs, one after the other, and the verdict.

All runs take place in one scratch folder, at the same paths, one at a time: a path that a program
prints is then no difference. It says nothing to anybody; who asks for a proof shows it.
"""

from __future__ import annotations

from resume.proving.comparing import Difference
from resume.proving.copies import Copied, copy_folder
from resume.proving.proof import Kills, Plan, Proof, Verdict, Watcher, prove
from resume.proving.runs import Ended, Job

__all__ = [
    "Copied",
    "Difference",
    "Ended",
    "Job",
    "Kills",
    "Plan",
    "Proof",
    "Verdict",
    "Watcher",
    "copy_folder",
    "prove",
]
