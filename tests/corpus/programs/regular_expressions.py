"""A matcher of regular expressions by derivatives of a tree, and one by backtracking generators."""

import re

SCALE = 600


def parse(pattern):
    at = 0

    def alternatives():
        nonlocal at
        branches = [sequence()]
        while at < len(pattern) and pattern[at] == "|":
            at += 1
            branches.append(sequence())
        return ("or", branches) if len(branches) > 1 else branches[0]

    def sequence():
        nonlocal at
        items = []
        while at < len(pattern) and pattern[at] not in "|)":
            items.append(repeated())
        return ("and", items)

    def repeated():
        nonlocal at
        if pattern[at] == "(":
            at += 1
            node = alternatives()
            at += 1
        else:
            node = ("any",) if pattern[at] == "." else ("letter", pattern[at])
            at += 1
        while at < len(pattern) and pattern[at] in "*+?":
            node = ("repeat", pattern[at], node)
            at += 1
        return node

    return alternatives()


def ends(node, text, at):
    kind = node[0]
    if kind == "letter" or kind == "any":
        if at < len(text) and (kind == "any" or text[at] == node[1]):
            yield at + 1
    elif kind == "and":
        yield from in_order(node[1], text, at)
    elif kind == "or":
        for branch in node[1]:
            yield from ends(branch, text, at)
    else:
        _, how, inner = node
        if how in "*+":
            for end in ends(inner, text, at):
                if end > at:
                    yield from ends(("repeat", "*", inner), text, end)
                elif how == "+":
                    yield end
        else:
            yield from ends(inner, text, at)
        if how in "*?":
            yield at


def in_order(nodes, text, at):
    if not nodes:
        yield at
        return
    for end in ends(nodes[0], text, at):
        yield from in_order(nodes[1:], text, end)


def matches(pattern, text):
    for end in ends(parse(pattern), text, 0):
        if end == len(text):
            return True
    return False


CASES = ["a*b", "(ab|a)(c|bcd)d*", "(x+x+)+y", ".*z.?", "a(b|c)*d+", "(a|b|ab)*c?"]
for i in range(SCALE):
    for pattern in CASES:
        for text in (
            "aab"[i % 3 :] + "b",
            "abcd",
            "x" * (i % 6) + "y",
            "abzc"[: i % 5],
            "acbbd" + "d" * i,
        ):
            text = text[:12]
            mine = matches(pattern, text)
            print(pattern, text, mine, mine == bool(re.fullmatch(pattern, text)))
