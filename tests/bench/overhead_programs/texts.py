"""Strings built of pieces: f-strings, joins, replacing, a report line by line."""

SIZE = 150_000


def title(text):
    return " ".join(word[:1].upper() + word[1:] for word in text.split("_"))


def row(number, names):
    cells = []
    for name in names:
        cells.append(f"{title(name)}: {number * len(name) % 997:>6,}")
    return " | ".join(cells)


def wrapped(text, width):
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) + 1 > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    lines.append(line)
    return lines


def main(size):
    names, total, digest = ["unit_price", "items_in_stock", "sold", "last_year_sold"], 0, ""
    for number in range(size):
        text = row(number, names)
        for line in wrapped(text.replace("|", "and"), 40):
            total += len(line)
            digest += line[-1]
        digest = digest[-50:]
    return total, digest
