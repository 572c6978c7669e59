"""Loops in loops at the top of the module, with continue, break and else at each level."""

SCALE = 200

total = 0
for i in range(6 * SCALE):
    for j, c in enumerate("abcd"):
        k = 0
        while True:
            k += 1
            if k % 2:
                continue
            total += i * j + k
            if k > 3 + j + i:
                break
        else:
            total = -1
        if i % 4 == 3 and c == "d":
            break
    else:
        total += 1000
    print(i, total)
print(total)
