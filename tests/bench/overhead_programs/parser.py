"""A parser of nested data, by recursive descent: methods, character by character."""

SIZE = 460


class Parser:
    def __init__(self, text):
        self.text = text
        self.at = 0

    def skip(self):
        while self.at < len(self.text) and self.text[self.at] in " \n":
            self.at += 1

    def expect(self, char):
        if self.text[self.at] != char:
            raise ValueError(f"{char} expected at {self.at}")
        self.at += 1

    def value(self):
        self.skip()
        char = self.text[self.at]
        if char == "{":
            return self.object()
        if char == "[":
            return self.array()
        if char == '"':
            return self.string()
        if self.text.startswith("true", self.at):
            self.at += 4
            return True
        return self.number()

    def object(self):
        found = {}
        self.expect("{")
        while True:
            self.skip()
            name = self.string()
            self.skip()
            self.expect(":")
            found[name] = self.value()
            self.skip()
            if self.text[self.at] == "}":
                self.at += 1
                return found
            self.expect(",")

    def array(self):
        found = []
        self.expect("[")
        while True:
            found.append(self.value())
            self.skip()
            if self.text[self.at] == "]":
                self.at += 1
                return found
            self.expect(",")

    def string(self):
        self.expect('"')
        start = self.at
        while self.text[self.at] != '"':
            self.at += 1
        self.at += 1
        return self.text[start : self.at - 1]

    def number(self):
        start = self.at
        while self.text[self.at] in "0123456789.-":
            self.at += 1
        part = self.text[start : self.at]
        return float(part) if "." in part else int(part)


def written(depth, number):
    if depth == 0:
        return f'{{"n": {number}, "x": {number / 4}, "ok": true, "name": "leaf {number}"}}'
    parts = ", ".join(written(depth - 1, number * 3 + k) for k in range(3))
    return f'{{"depth": {depth}, "parts": [{parts}]}}'


def leaves(data):
    if "parts" in data:
        return sum(leaves(part) for part in data["parts"])
    return data["n"]


def main(size):
    total = 0
    for number in range(size):
        total += leaves(Parser(written(5, number)).value())
    return total
