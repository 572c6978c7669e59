"""A linked list of slotted nodes, its generator `__iter__`, and a class with `__next__`."""

SCALE = 9866


class Node:
    __slots__ = ("next", "v")

    def __init__(self, v, next=None):
        self.v, self.next = v, next


class Chain:
    def __init__(self, values=()):
        self.head = None
        for value in values:
            self.push(value)

    def push(self, v):
        self.head = Node(v, self.head)

    def __iter__(self):
        node = self.head
        while node:
            yield node.v
            node = node.next

    def reverse(self):
        before, node = None, self.head
        while node:
            node.next, before, node = before, node, node.next
        self.head = before
        return self


class UpTo:
    def __init__(self, n):
        self.i, self.n = 0, n

    def __iter__(self):
        return self

    def __next__(self):
        if self.i >= self.n:
            raise StopIteration
        self.i += 1
        return self.i


def nodes(n):
    return Node(n, nodes(n - 1)) if n else None


chain = Chain(range(8 * SCALE))
for a in chain:
    for b in UpTo(3):
        print(a, b)
print(list(chain.reverse()), list(chain))
node = nodes(40)
while node:
    print(node.v)
    node = node.next
