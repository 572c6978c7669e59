"""Words counted in dicts: a made-up text, its words, pairs and letters."""

SIZE = 140

SYLLABLES = "ka to mi re nu sa lo vi en da ru pe".split()


def text(seed, length):
    words = []
    for _ in range(length):
        word = ""
        for _ in range(1 + seed % 3):
            seed = (seed * 1103515245 + 12345) % 2147483648
            word += SYLLABLES[seed // 65536 % len(SYLLABLES)]
        words.append(word)
    return " ".join(words)


def count(words):
    counts = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts


def pairs(words):
    found, before = {}, None
    for word in words:
        if before is not None:
            key = before, word
            if key in found:
                found[key] += 1
            else:
                found[key] = 1
        before = word
    return found


def letters(words):
    found = {}
    for word in words:
        for letter in word:
            found.setdefault(letter, []).append(len(word))
    return {letter: sum(lengths) for letter, lengths in found.items()}


def main(size):
    total = 0
    for number in range(size):
        words = text(number + 1, 6_000).split()
        common = sorted(count(words).items(), key=lambda item: (-item[1], item[0]))[:10]
        total += sum(times for _, times in common)
        total += max(pairs(words).values()) + max(letters(words).values())
    return total
