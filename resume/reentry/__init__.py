"""The state of a whole program in the middle of its work: its stack, generators and modules.

The second floor of re-entry. `rewrite/` knows what the rest of a function is; this package knows
what a live frame is at, takes the frames of a running program apart into records, and makes frames
of records again. It writes nothing: a state goes to disk by the engine, like any other.

- `program.py`: the modules that were rewritten, and which of their blocks a code object is.
- `records.py`: one frame as plain data, and `Postponed`, the reason why now is no time for a save.
- `walking.py`, `edges.py`: from a live frame outwards to the root, each step proved.
- `lookups.py`: what a name or an attribute is, told without running code.
- `entering.py`: from records to calls that go on.
- `iterators.py`, `contexts.py`: what rewritten code calls at loops, and in residuals.
- `reducers.py`: functions, generators and classes of the program in the one graph; `classes.py`,
  `files.py`, `caches.py`, `things.py`, `tracebacks.py`: what pickle does not bring back as it was.
- `roots.py`: the program's state as named roots, and the account of them; `names.py`: which names
  are state; `fates.py`: what becomes of a variable that cannot be saved; `waiting.py`: of what
  can be, soon.
- `given.py`: what definitions read when they run again.
- `process.py`: what is set in the process; `beginning.py`: since the program began; `loggers.py`,
  `at_exit.py`, `standard_input.py`: what `logging` and `atexit` were told, and what was read.
- `putting.py`: decoded values back into modules, classes and frames.
- `arm.py`: wait for the next statement of rewritten code when a save is due.
"""
