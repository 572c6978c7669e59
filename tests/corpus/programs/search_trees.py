"""An AVL tree with deletion, a trie and a skip list; their iterators are recursive generators."""

import random

SCALE = 3698


class Node:
    def __init__(self, key):
        self.key, self.left, self.right, self.height = key, None, None, 1


def height(node):
    return node.height if node else 0


def updated(node):
    node.height = 1 + max(height(node.left), height(node.right))
    return node


def rotated(node, to_left):
    if to_left:
        top, node.right = node.right, node.right.left
        top.left = updated(node)
    else:
        top, node.left = node.left, node.left.right
        top.right = updated(node)
    return updated(top)


def balanced(node):
    lean = height(updated(node).left) - height(node.right)
    if lean > 1:
        if height(node.left.left) < height(node.left.right):
            node.left = rotated(node.left, to_left=True)
        return rotated(node, to_left=False)
    if lean < -1:
        if height(node.right.right) < height(node.right.left):
            node.right = rotated(node.right, to_left=False)
        return rotated(node, to_left=True)
    return node


def inserted(node, key):
    if node is None:
        return Node(key)
    if key < node.key:
        node.left = inserted(node.left, key)
    elif key > node.key:
        node.right = inserted(node.right, key)
    return balanced(node)


def removed(node, key):
    if node is None:
        return None
    if key < node.key:
        node.left = removed(node.left, key)
    elif key > node.key:
        node.right = removed(node.right, key)
    elif node.left is None or node.right is None:
        return node.left or node.right
    else:
        least = node.right
        while least.left:
            least = least.left
        node.key = least.key
        node.right = removed(node.right, least.key)
    return balanced(node)


def walk(node, depth=0):
    if node:
        yield from walk(node.left, depth + 1)
        yield node.key, depth
        yield from walk(node.right, depth + 1)


class Trie:
    def __init__(self):
        self.children, self.count = {}, 0

    def add(self, word):
        node = self
        for letter in word:
            node = node.children.setdefault(letter, Trie())
        node.count += 1

    def words(self, prefix=""):
        for _ in range(self.count):
            yield prefix
        for letter, child in sorted(self.children.items()):
            yield from child.words(prefix + letter)


rng = random.Random(3)
for round_ in range(SCALE):
    root, keys = None, [rng.randrange(50) for _ in range(20)]
    for key in keys:
        root = inserted(root, key)
    for key in keys[::3]:
        root = removed(root, key)
    print([key for key, _ in walk(root)], height(root), max(depth for _, depth in walk(root)))
    trie = Trie()
    for key in keys:
        trie.add(bin(key)[2:])
    for word in trie.words():
        print(word, end=" ")
    print()
