"""A JSON parser by recursive descent with good errors, and a writer that is a generator."""

import json

SCALE = 5399


class Bad(ValueError):
    def __init__(self, text, at, why):
        super().__init__(f"{why} at {at}: {text[at : at + 8]!r}")


class Reader:
    def __init__(self, text):
        self.text, self.at = text, 0

    def space(self):
        while self.at < len(self.text) and self.text[self.at] in " \n\t":
            self.at += 1

    def take(self, wanted):
        self.space()
        if not self.text.startswith(wanted, self.at):
            raise Bad(self.text, self.at, f"no {wanted!r}")
        self.at += len(wanted)
        return wanted

    def peek(self):
        self.space()
        return self.text[self.at : self.at + 1]

    def value(self):
        match self.peek():
            case "{":
                return dict(self.members("{", "}", self.pair))
            case "[":
                return list(self.members("[", "]", self.value))
            case '"':
                return self.string()
            case "t" | "f" | "n":
                for word, value in (("true", True), ("false", False), ("null", None)):
                    if self.text.startswith(word, self.at):
                        self.take(word)
                        return value
        return self.number()

    def members(self, first, last, each):
        out = []
        self.take(first)
        while self.peek() != last:
            if out:
                self.take(",")
            out.append(each())
        self.take(last)
        return out

    def pair(self):
        key = self.string()
        self.take(":")
        return key, self.value()

    def string(self):
        self.take('"')
        out = ""
        while (c := self.text[self.at]) != '"':
            if c == "\\":
                self.at += 1
                c = {"n": "\n", "t": "\t"}.get(self.text[self.at], self.text[self.at])
            out += c
            self.at += 1
        self.at += 1
        return out

    def number(self):
        start = self.at
        while self.peek() and self.peek() in "+-.0123456789eE":
            self.at += 1
        if start == self.at:
            raise Bad(self.text, self.at, "nothing")
        word = self.text[start : self.at]
        return float(word) if "." in word or "e" in word else int(word)


def written(value):
    match value:
        case dict():
            yield "{"
            for i, (key, item) in enumerate(value.items()):
                yield from (", " if i else "", json.dumps(key), ": ")
                yield from written(item)
            yield "}"
        case list():
            yield "["
            for i, item in enumerate(value):
                if i:
                    yield ", "
                yield from written(item)
            yield "]"
        case _:
            yield json.dumps(value)


for i in range(SCALE):
    data = {
        "n": i,
        "list": [1.5, i * i, None, True, {"deep": [[], {}, "a\nb"]}],
        "s": "x" * (i % 9),
    }
    text = "".join(written(data))
    print(text == json.dumps(data), Reader(text).value() == data, len(text))
    for bad in ('{"a" 1}', "[1, }", text[: i % 15 + 1]):
        try:
            print(Reader(bad).value())
        except (Bad, IndexError) as error:
            print(type(error).__name__, error)
