"""Functions of the program called from C and from libraries: keys, sub, map, reduce, bisect."""

import bisect
import functools
import itertools
import re

SCALE = 6352
count = 0


def key(word):
    global count
    total = 0
    for letter in word:
        total += ord(letter)
        count += 1
    return total % 17, word


def replaced(match):
    out = ""
    for letter in match.group():
        out = letter + out
    return out.upper()


def compared(a, b):
    for x, y in zip(a, b):
        if x != y:
            return -1 if x < y else 1
    return len(a) - len(b)


def main(words):
    print(sorted(words, key=key))
    print(min(words, key=key), max(words, key=lambda w: key(w)[::-1]))
    print(re.sub(r"[aeiou]+", replaced, " ".join(words)))
    print(sorted(words, key=functools.cmp_to_key(compared)))
    print(list(itertools.takewhile(lambda w: key(w)[0] < 14, words)))
    print(functools.reduce(lambda a, b: a + key(b)[0], words, 0))
    print([list(g) for _, g in itertools.groupby(words, key=lambda w: key(w)[0] % 2)])
    found = bisect.bisect([3, 5, 9, 12], 7, key=lambda n: sum(i for i in range(n)) // 4)
    print(found, list(filter(lambda w: key(w)[0] % 3, words)))
    for pair in zip(map(key, words), itertools.accumulate(words, lambda a, b: a + b[0])):
        print(pair)
    words.sort(key=key, reverse=True)
    return words


words = "pear apple fig banana cherry kiwi".split()
for i in range(SCALE):
    words = main([*words[1:], words[0]])
    for k in range(3):
        print(key(words[k]))
print(count)
