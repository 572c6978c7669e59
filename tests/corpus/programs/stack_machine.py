"""A compiler of a small language to a stack machine, and the machine, with calls and traps."""

SCALE = 4839
SOURCE = """
func gcd a b
  while b
    t = a % b
    a = b
    b = t
  end
  return a
end
func main n
  total = 0
  i = 1
  while i < n
    total = total + gcd ( n , i )
    if total % 7 == 0
      print total
    end
    i = i + 1
  end
  return total
end
"""
ORDER = {"==": 1, "<": 1, "+": 2, "-": 2, "*": 3, "%": 3}


class Compiler:
    def __init__(self, source):
        self.lines = [line.split() for line in source.strip().splitlines()]
        self.at = 0
        self.functions = {}

    def compile(self):
        while self.at < len(self.lines):
            _, name, *parameters = self.lines[self.at]
            self.at += 1
            code = []
            self.block(code)
            self.functions[name] = parameters, code
        return self.functions

    def block(self, code):
        while True:
            words = self.lines[self.at]
            self.at += 1
            match words:
                case ["end"]:
                    return
                case ["while" | "if" as kind, *test]:
                    start = len(code)
                    self.expression(test, code)
                    hole = len(code)
                    code.append(None)
                    self.block(code)
                    if kind == "while":
                        code.append(("jump", start))
                    code[hole] = ("unless", len(code))
                case ["return" | "print" as kind, *value]:
                    self.expression(value, code)
                    code.append((kind, None))
                case [name, "=", *value]:
                    self.expression(value, code)
                    code.append(("store", name))

    def expression(self, words, code, level=0):
        def primary():
            word = words.pop(0)
            if words and words[0] == "(":
                words.pop(0)
                count = 0
                while words[0] != ")":
                    self.expression(words, code)
                    count += 1
                    if words[0] == ",":
                        words.pop(0)
                words.pop(0)
                code.append(("call", (word, count)))
            elif word.isdigit():
                code.append(("push", int(word)))
            else:
                code.append(("load", word))

        primary()
        while words and ORDER.get(words[0], -1) > level:
            op = words.pop(0)
            self.expression(words, code, ORDER[op])
            code.append(("binary", op))


def run(functions, name, args, depth=0):
    parameters, code = functions[name]
    names, stack, at = dict(zip(parameters, args)), [], 0
    while True:
        op, value = code[at]
        at += 1
        match op:
            case "push":
                stack.append(value)
            case "load":
                stack.append(names[value])
            case "store":
                names[value] = stack.pop()
            case "binary":
                b, a = stack.pop(), stack.pop()
                stack.append({"+": a + b, "-": a - b, "<": a < b, "==": a == b}.get(value))
                if stack[-1] is None:
                    stack[-1] = a * b if value == "*" else a % b
            case "jump":
                at = value
            case "unless":
                at = at if stack.pop() else value
            case "call":
                callee, count = value
                given = stack[len(stack) - count :]
                del stack[len(stack) - count :]
                stack.append(run(functions, callee, given, depth + 1))
            case "print":
                print(" " * depth, stack.pop())
            case "return":
                return stack.pop()


functions = Compiler(SOURCE).compile()
for n in range(2, 2 + SCALE):
    print(n, run(functions, "main", [n % 25 + 2]))
