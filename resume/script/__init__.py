"""Run a script or a module under the rewriter, exactly as `python SCRIPT` and `python -m` run it.

- `options.py`: what was asked for; `Saving`, which whoever saves the state fills in.
- `command.py`, `seed.py`: the words behind `resume run`; the hash seed.
- `reach.py`, `parsing.py`, `rewriting.py`, `kept.py`: which modules belong to the program, their
  code, kept from run to run.
- `modules.py`: the import hook.
- `running.py`: `run_script` and `run_module`.
- `launch.py`: run with no frame of ours below, and end as a plain program ends.

It imports nothing by itself: each start of a script waits for what is imported here.
"""
