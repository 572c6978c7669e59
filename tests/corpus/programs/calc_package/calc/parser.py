"""Text to trees by precedence climbing, on tokens of a generator."""

import re

from .tree import Binary, Name, Number

LEVELS = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}


def tokens(text):
    for found in re.finditer(r"\s*(\d+|\w+|.)", text):
        yield found[1]
    yield "end"


class Parser:
    def __init__(self, text):
        self.tokens = tokens(text)
        self.token = next(self.tokens)

    def take(self):
        token, self.token = self.token, next(self.tokens, "end")
        return token

    def atom(self):
        token = self.take()
        if token == "(":
            inner = self.expression(0)
            if self.take() != ")":
                raise SyntaxError("no )")
            return inner
        if token.isdigit():
            return Number(int(token))
        if token.isidentifier() and token != "end":
            return Name(token)
        raise SyntaxError(f"unexpected {token}")

    def expression(self, level):
        left = self.atom()
        while LEVELS.get(self.token, 0) > level:
            op = self.take()
            left = Binary(op, left, self.expression(LEVELS[op] - (op == "^")))
        return left


def parse(text):
    parser = Parser(text)
    tree = parser.expression(0)
    if parser.token != "end":
        raise SyntaxError(f"rest {parser.token}")
    return tree
