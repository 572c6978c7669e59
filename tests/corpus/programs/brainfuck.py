"""A Brainfuck interpreter as a generator that hands out what the program prints."""

SCALE = 2160
HELLO = (
    "++++++++[>++++[>++>+++>+++>+<<<<-]>+>+>->>+[<]<-]>>.>---.+++++++..+++.>>.<-.<.+++.------."
    "--------.>>+."
)
SQUARES = "++++[>+++++<-]>[<+++++>-]+<+[>[>+>+<<-]++>>[<<+>>-]>>>[-]++>[-]+>>>+[[-]++++++>>>]<<<[["
ECHO = ",[.,]"


def jumps(code):
    stack, table = [], {}
    for i, c in enumerate(code):
        if c == "[":
            stack.append(i)
        elif c == "]":
            start = stack.pop()
            table[start], table[i] = i, start
    if stack:
        raise SyntaxError(f"open: {stack}")
    return table


def run(code, given=""):
    table, tape, at, cell = jumps(code), [0] * 30, 0, 0
    rest = iter(given)
    while at < len(code):
        c = code[at]
        if c == ">":
            cell += 1
        elif c == "<":
            cell -= 1
        elif c in "+-":
            tape[cell] = (tape[cell] + (1 if c == "+" else -1)) % 256
        elif c == ".":
            yield chr(tape[cell])
        elif c == ",":
            tape[cell] = ord(next(rest, "\0"))
        elif (c == "[" and not tape[cell]) or (c == "]" and tape[cell]):
            at = table[at]
        at += 1


for i in range(SCALE):
    for code in (HELLO, SQUARES, ECHO):
        try:
            for letter in run(code, f"given {i}"):
                print(letter, end="")
        except SyntaxError as error:
            print(i, error)
    print()
