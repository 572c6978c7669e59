"""Where a statement begins, nothing of it has run and nothing is pending."""

from __future__ import annotations

import dis

from rewriting import make_helpers

from resume.rewrite import rewrite

SOURCE = """
def f(x):
    with x as y:
        for i in y:
            print(i)
    while x:
        x.go()
    try:
        x.go()
    except KeyError as e:
        print(e)
    finally:
        x.go()
    return [i.go() for i in x]
"""


def lines_of_starts(source: str) -> dict[str, set[int]]:
    """By name of the code: lines on which a statement begins."""
    module = rewrite(source, "<p>", make_helpers())
    found: dict[str, set[int]] = {}
    for table in module.tables.values():
        places = module.places(table.block) if table.block in module.blocks else {}
        numbers = set(module.starts(table.code).values())
        found[table.code.co_name] = {places[n].line for n in numbers if n in places}
    return found


def test_every_statement_begins_somewhere():
    """But handlers do not: an exception lies on the stack there."""
    assert lines_of_starts(SOURCE)["f"] == {3, 4, 5, 6, 7, 8, 9, 11, 13, 14}


def test_clean_up_begins_no_statement():
    """What leaves a `with`, and what ends a handler, stands under their lines."""
    module = rewrite(SOURCE, "<p>", make_helpers())
    code = next(c for c in module.codes.values() if c.co_name == "f")
    handlers = {number for number in module.tables[id(code)].ids if number} - set(module.places(1))

    names = [dis.opname[code.co_code[2 * unit]] for unit in module.starts(code)]

    assert names
    assert not {"POP_TOP", "PUSH_EXC_INFO", "POP_EXCEPT", "SWAP", "COPY"} & set(names)
    assert handlers
    assert not handlers & set(module.starts(code).values())
    with_units = [unit for unit, number in module.starts(code).items() if number == 2]
    assert len(with_units) == 1


def test_other_code_has_no_starts():
    """A class body cannot be entered again."""
    assert lines_of_starts("class A:\n    x = 1\n")["A"] == set()
