"""Huffman codes: a heap of trees, recursion over them, text encoded and decoded again."""

import heapq
from collections import Counter

SCALE = 5399
TEXT = "she sells sea shells by the sea shore and peter piper picked a peck of pickled peppers "


class Leaf:
    def __init__(self, letter):
        self.letter = letter


class Branch:
    def __init__(self, left, right):
        self.left, self.right = left, right


def tree_of(text):
    heap = [(n, i, Leaf(c)) for i, (c, n) in enumerate(sorted(Counter(text).items()))]
    heapq.heapify(heap)
    serial = len(heap)
    while len(heap) > 1:
        (a, _, left), (b, _, right) = heapq.heappop(heap), heapq.heappop(heap)
        heapq.heappush(heap, (a + b, serial, Branch(left, right)))
        serial += 1
    return heap[0][2]


def codes_of(node, prefix=""):
    match node:
        case Leaf(letter=letter):
            yield letter, prefix or "0"
        case Branch():
            yield from codes_of(node.left, prefix + "0")
            yield from codes_of(node.right, prefix + "1")


def decoded(bits, root):
    node, out = root, []
    for bit in bits:
        node = node.left if bit == "0" else node.right
        if isinstance(node, Leaf):
            out.append(node.letter)
            node = root
    return "".join(out)


for i in range(SCALE):
    text = TEXT[i % 40 :] * (i % 3 + 1)
    root = tree_of(text)
    codes = dict(codes_of(root))
    bits = "".join(codes[c] for c in text)
    print(i, len(text) * 8, len(bits), decoded(bits, root) == text)
    for letter, code in sorted(codes.items(), key=lambda pair: (len(pair[1]), pair[0]))[:5]:
        print(repr(letter), code)
