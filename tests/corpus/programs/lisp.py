"""A Lisp: parser, closures, recursion and tail calls, errors with messages."""

import operator

SCALE = 360


class LispError(Exception):
    pass


class Env(dict):
    def __init__(self, names=(), values=(), outer=None):
        super().__init__(zip(names, values))
        self.outer = outer

    def find(self, name):
        env = self
        while env is not None:
            if name in env:
                return env
            env = env.outer
        raise LispError(f"no {name}")


class Lambda:
    def __init__(self, names, body, env):
        self.names, self.body, self.env = names, body, env


def parse(text):
    tokens = text.replace("(", " ( ").replace(")", " ) ").split()

    def read():
        token = tokens.pop(0)
        if token == "(":
            items = []
            while tokens[0] != ")":
                items.append(read())
            tokens.pop(0)
            return items
        try:
            return int(token)
        except ValueError:
            return token

    while tokens:
        yield read()


def evaluate(x, env):
    while True:
        if isinstance(x, str):
            return env.find(x)[x]
        if not isinstance(x, list):
            return x
        match x:
            case ["define", name, value]:
                env[name] = evaluate(value, env)
                return None
            case ["if", test, yes, no]:
                x = yes if evaluate(test, env) else no
            case ["lambda", names, body]:
                return Lambda(names, body, env)
            case ["let", pairs, body]:
                values = [evaluate(v, env) for _, v in pairs]
                env, x = Env([n for n, _ in pairs], values, env), body
            case [function, *args]:
                function = evaluate(function, env)
                args = [evaluate(a, env) for a in args]
                if isinstance(function, Lambda):
                    if len(args) != len(function.names):
                        raise LispError(f"takes {len(function.names)}, not {len(args)}")
                    env, x = Env(function.names, args, function.env), function.body
                else:
                    return function(*args)


def world():
    env = Env()
    env.update({"+": operator.add, "-": operator.sub, "*": operator.mul, "<": operator.lt})
    env.update({"list": lambda *a: list(a), "=": operator.eq, "mod": operator.mod})
    return env


PROGRAM = """
(define fact (lambda (n) (if (< n 2) 1 (* n (fact (- n 1))))))
(define fib (lambda (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))))
(define loop (lambda (n acc) (if (= n 0) acc (loop (- n 1) (+ acc (mod n 7))))))
(define adder (lambda (k) (lambda (x) (+ x k))))
(fact N) (fib 9) (loop 60 N) ((adder N) 5) (let ((a 1) (b N)) (list a b (+ a b)))
(missing 1) (fact 1 2) ((adder 1) (fib 5))
"""

for n in range(SCALE):
    env = world()
    for expression in parse(PROGRAM.replace("N", str(n % 20))):
        try:
            value = evaluate(expression, env)
        except LispError as error:
            print("error:", error)
        else:
            if value is not None:
                print(value)
