"""Trees, and what can be done with them."""

import operator
from dataclasses import dataclass

DO = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
DO["^"] = lambda a, b: a ** min(b, 9)


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Name:
    name: str


@dataclass(frozen=True)
class Binary:
    op: str
    left: object
    right: object


class Visitor:
    def visit(self, tree):
        return getattr(self, type(tree).__name__.lower())(tree)


class Evaluate(Visitor):
    def __init__(self, names):
        self.names = names

    def number(self, tree):
        return tree.value

    def name(self, tree):
        if tree.name not in self.names:
            raise NameError(tree.name)
        return self.names[tree.name]

    def binary(self, tree):
        return DO[tree.op](self.visit(tree.left), self.visit(tree.right))


class Show(Visitor):
    def number(self, tree):
        return str(tree.value)

    def name(self, tree):
        return tree.name

    def binary(self, tree):
        return f"({self.visit(tree.left)} {tree.op} {self.visit(tree.right)})"


class Optimise(Visitor):
    def number(self, tree):
        return tree

    name = number

    def binary(self, tree):
        left, right = self.visit(tree.left), self.visit(tree.right)
        match tree.op, left, right:
            case "+", Number(0), other:
                return other
            case "*", Number(1), other:
                return other
            case op, Number(a), Number(b):
                return Number(DO[op](a, b))
        return Binary(tree.op, left, right)


def evaluate(tree, names):
    return Evaluate(names).visit(tree)


def show(tree):
    return Show().visit(tree)


def optimise(tree):
    return Optimise().visit(tree)
