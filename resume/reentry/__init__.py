"""The state of a whole program in the middle of its work: its stack, generators and modules.

The second floor of re-entry. `rewrite/` knows what the rest of a function is; this package knows
what a live frame is at, takes the frames of a running program apart into records, and makes frames
of records again. It writes nothing: a state goes to disk by the engine, like any other.

- `program.py`: the modules that were rewritten, and which of their blocks a code object is.
- `records.py`: one frame as plain data, and `Postponed`, the reason why now is no time for a save.
- `walking.py`, `edges.py`: from a live frame outwards to the root, each step proved.
- `entering.py`: from records to calls that go on.
- `iterators.py`, `contexts.py`: what rewritten code calls at loops, and in residuals.
- `reducers.py`: functions, generators, classes and files of the program in the one graph.
- `arm.py`: wait for the next statement of rewritten code when a save is due.
"""
