"""Where a statement begins, nothing of it has run and nothing is pending."""

from __future__ import annotations

import dis

from rewriting import make_helpers

from resume.rewrite import Entry, Suspension, rewrite

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


def test_what_had_begun_does_not_begin_again():
    """In a residual, the statements around its position are left, not begun; what follows is."""
    source = (
        "def f(x):\n    with x as y:\n        try:\n            for i in y:\n"
        "                g(i)\n                h(i)\n        finally:\n            h(0)\n    h(1)\n"
    )
    module = rewrite(source, "<p>", make_helpers())
    block = next(number for number, block in module.blocks.items() if number)
    places = module.places(block)
    second = next(n for n, place in places.items() if place.line == 6)
    bound = ("x", "y", "i", ".i1", ".w1")

    code = module.residual(block, Suspension(second, Entry.BEFORE, bound))

    begun = [places[number].line for number in module.starts(code).values()]
    assert set(begun) == {5, 6, 8, 9}
    assert {places[n].line for n in module.starts(module.codes[block]).values()} == {
        2, 3, 4, 5, 6, 8, 9,
    }  # fmt: skip
