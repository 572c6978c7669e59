"""Text built in a generator from f-strings that hold calls, and letters counted."""

SCALE = 14399


def build(n):
    text = ""
    for i in range(n):
        text += f"{i:>3}|{hexadecimal(i)}|{hexadecimal(i * 3)!r:>6};"
        if len(text) > 60:
            yield text
            text = ""
    yield text


def hexadecimal(i):
    out = ""
    while True:
        out = "0123456789abcdef"[i % 16] + out
        i //= 16
        if not i:
            return out


for part in build(25 * SCALE):
    print(part)
text = "the quick brown fox jumps over the lazy dog the end"
count = {}
for word in text.split():
    for letter in word:
        count[letter] = count.get(letter, 0) + 1
print(sorted(count.items(), key=lambda pair: (-pair[1], pair[0])))
