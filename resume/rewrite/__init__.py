"""Source in, re-enterable code out: behaves as the plain program, and any frame of it can go on.

The lowest floor of re-entry. It works on text, trees and code objects; it runs nothing of the
program, and knows nothing of stores, saves or live frames.

What goes in: the text of a module, its filename, `Helpers` (what the code calls at loops over
unusual iterables, and in residuals), and `Outside` (the names that `survey` finds in the other
modules that are rewritten).

What comes out, as a `RewrittenModule`:

- `code`: the module's code, with the lines, columns and names of the source.
- `tables[id(code)]`: for every code object, residuals included, the id of its block (function,
  lambda, hidden comprehension; 0: the module) and, by `f_lasti // 2`, the ids of its instructions.
- `starts(code)`: by code unit, the statement that begins there. A frame at such a line event is
  exactly before that statement.
- `blocks[number]`: what a block is in the source; `codes[number]`: its code that is no residual.
- `places(block)[id]`: what stands at an id (`Kind`), why no frame can be entered again there, if
  so, what a call calls, which methods wait for it, which hidden name holds the iterator.
- `residual(block, Suspension(position, entry, bound))`: the code of the rest.
- `definitions(position)`: the imports, functions and classes above a position of the module;
  `defined(position)`: which names that binds.
- `evaluated(position)`, `functions()`: which globals that reads on its way, by itself and by what
  it may call.
- `reads(block, where)`: which names the rest may read; `needs(block, name)`: what the only
  assignment of a variable reads, which a residual (`Suspension.recreated`) runs again.

Values that the interpreter would keep on its stack are in local variables whose names begin with a
dot: `.i1` iterators, `.t1` operands, `.w1` context managers, `.e1` exceptions, `.y` what a
`yield from` hands on to, `.r` the result of a comprehension so far, `.0` its first iterator.

Ids are the same for the same source in any process, and on any Python that parses it alike.
"""

from __future__ import annotations

from resume.rewrite.blocks import Block
from resume.rewrite.definitions import GIVE
from resume.rewrite.evaluated import Called, Evaluated
from resume.rewrite.liveness import Definitions, Reads
from resume.rewrite.module import Helpers, RewrittenModule, rewrite, survey
from resume.rewrite.quiet import Outside
from resume.rewrite.relocate import Table
from resume.rewrite.residual import Suspension
from resume.rewrite.rest import MADE, Entry
from resume.rewrite.safety import Callee, Kind, Place
from resume.rewrite.single import Single, Source, cut_out

__all__ = [
    "GIVE",
    "MADE",
    "Block",
    "Called",
    "Callee",
    "Definitions",
    "Entry",
    "Evaluated",
    "Helpers",
    "Kind",
    "Outside",
    "Place",
    "Reads",
    "RewrittenModule",
    "Single",
    "Source",
    "Suspension",
    "Table",
    "cut_out",
    "rewrite",
    "survey",
]
