"""Two files written side by side, one appended to, then both read in loops."""

# writes: out.txt other.txt

SCALE = 2571


def write(path, lines):
    with open(path, "a") as out, open("other.txt", "w") as digits:
        for i in range(lines):
            out.write(f"line {i}\n")
            for j in range(3):
                digits.write(str(j))
            if i % 5 == 0:
                out.flush()
        return out.tell()


def read():
    total = 0
    with open("out.txt") as lines:
        for line in lines:
            for word in line.split():
                total += len(word)
            print(total, line.strip())
    digits = open("other.txt")
    for text in digits:
        for digit in text:
            total += int(digit)
    digits.close()
    return total


for round_ in range(3):
    print(write("out.txt", 20 * SCALE))
print(read())
