"""A parser, operators, own lists, retries, dates, default memos and generators that return."""

import collections
import datetime
import decimal
import fractions
import operator
import re

SCALE = 2571


class Matrix:
    def __init__(self, rows):
        self.rows = [list(r) for r in rows]

    def __matmul__(self, other):
        columns = list(zip(*other.rows))
        return Matrix([[sum(a * b for a, b in zip(r, c)) for c in columns] for r in self.rows])

    def __getitem__(self, k):
        return self.rows[k[0]][k[1]]

    def __repr__(self):
        return f"M{self.rows}"


class Stack(list):
    def push(self, x):
        self.append(x)
        return self


class Token(collections.namedtuple("Token", "kind value")):
    pass


def lex(text):
    for m in re.finditer(r"\s*(?:(\d+)|(.))", text):
        yield Token("number", int(m[1])) if m[1] else Token("operator", m[2])


class Parser:
    def __init__(self, text):
        self.tokens = list(lex(text))
        self.i = 0

    def peek(self):
        return self.tokens[self.i] if self.i < len(self.tokens) else Token("end", None)

    def eat(self):
        self.i += 1
        return self.tokens[self.i - 1]

    def expression(self):
        value = self.term()
        while self.peek().value in ("+", "-"):
            value = {"+": operator.add, "-": operator.sub}[self.eat().value](value, self.term())
        return value

    def term(self):
        value = self.atom()
        while self.peek().value in ("*", "/"):
            if self.eat().value == "*":
                value *= self.atom()
            else:
                value = fractions.Fraction(value) / self.atom()
        return value

    def atom(self):
        token = self.eat()
        if token.value == "(":
            value = self.expression()
            self.eat()
            return value
        if token.value == "-":
            return -self.atom()
        return token.value


def retry(n):
    last = None
    while True:
        try:
            n -= 1
            if n > 0:
                raise RuntimeError(n)
            return ("ok", last and str(last))
        except RuntimeError as error:
            last = error
            for i in range(2):
                if i and error.args[0] == 2:
                    break


def gcd(a, b):
    return a if not b else gcd(b, a % b)


def lucas(n, memo={}):
    if n in memo:
        return memo[n]
    memo[n] = n if n < 2 else lucas(n - 1) + lucas(n - 2)
    return memo[n]


def nested():
    def inner(depth):
        if depth == 0:
            for _ in range(2):
                yield depth
            return "leaf"
        result = yield from inner(depth - 1)
        for _ in range(2):
            yield (depth, result)
        return result + str(depth)

    out = []

    def drive():
        out.append((yield from inner(3)))

    for x in drive():
        out.append(x)
    return out


today = datetime.date(2020, 1, 30)
for round_ in range(SCALE):
    for text in ("1+2*3", "(4+5)*(2-7)/3", "-(8-2)*4+10/4", "((1))"):
        print(text, "=", Parser(text).expression())
    m = Matrix([[1, 2], [3, 4]])
    for i in range(3):
        m = m @ m if i % 2 else m @ Matrix([[0, 1], [1, 1]])
        print(m, m[0, 1])
    stack = Stack()
    for letter in "abc":
        stack.push(letter).push(letter.upper())
    print(stack, [*stack][::-1])
    print(retry(5))
    for d in range(4):
        today += datetime.timedelta(days=1)
        print(today.isoformat(), decimal.Decimal(d) / 3)
    divisors = [gcd(a, b) for a in (12, 18) for b in (8, 27) if a != b]
    print(divisors, lucas(12 + round_), len(lucas.__defaults__[0]))
    print(nested())
    x: int = 0
    while x < 5:
        x += 1
        if x == 3:
            continue
        try:
            if x == 4:
                raise StopIteration("boo")
        except StopIteration as error:
            for _ in range(2):
                print("caught", error)
        else:
            for _ in range(2):
                print("fine", x)
