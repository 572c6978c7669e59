"""Minimum spanning trees by union-find, components by depth first search, topological order."""

SCALE = 9842


class Forest:
    def __init__(self, n):
        self.parent, self.rank = list(range(n)), [0] * n

    def find(self, x):
        while self.parent[x] != x:
            self.parent[x] = self.parent[self.parent[x]]
            x = self.parent[x]
        return x

    def join(self, a, b):
        a, b = self.find(a), self.find(b)
        if a == b:
            return False
        if self.rank[a] < self.rank[b]:
            a, b = b, a
        self.parent[b] = a
        self.rank[a] += self.rank[a] == self.rank[b]
        return True


def spanning(n, edges):
    forest, total, chosen = Forest(n), 0, []
    for weight, a, b in sorted(edges):
        if forest.join(a, b):
            total += weight
            chosen.append((a, b))
    return total, chosen


def strong_components(graph):
    index, low, stack, out = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in graph[v]:
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            component = []
            while True:
                w = stack.pop()
                component.append(w)
                if w == v:
                    break
            out.append(sorted(component))

    for v in graph:
        if v not in index:
            visit(v)
    return out


def ordered(needs):
    done, trail = [], set()

    def visit(node):
        if node in done:
            return
        if node in trail:
            raise ValueError(f"cycle at {node}")
        trail.add(node)
        for need in sorted(needs.get(node, ())):
            visit(need)
        trail.discard(node)
        done.append(node)

    for node in sorted(needs):
        visit(node)
    return done


for seed in range(SCALE):
    n = seed % 6 + 5
    edges = [((i * j * 7 + seed) % 23, i, j) for i in range(n) for j in range(i)]
    print(spanning(n, edges))
    graph = {v: [(v * 3 + seed) % n, (v + 2) % n] if v % 2 else [(v + 1) % n] for v in range(n)}
    print(strong_components(graph))
    needs = {f"t{i}": {f"t{(i * 5 + seed) % (i + 1)}"} - {f"t{i}"} for i in range(n)}
    if seed % 4 == 3:
        needs["t0"] = {f"t{n - 1}"}
        needs[f"t{n - 1}"] = {"t0"}
    try:
        print(ordered(needs))
    except ValueError as error:
        print(error)
