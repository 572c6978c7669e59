"""Natural loops of a graph of instructions."""

from __future__ import annotations


def natural_loops(edges: list[list[int]]) -> list[tuple[int, frozenset[int]]]:
    """Return header and body of each loop, in the order of their headers; node 0 is the entry.

    A jump back makes a loop only if its target is on every way to it: a handler at the end of the
    code that jumps back to the statement behind a `try` is none.
    """
    above = _dominators(edges)
    before: list[list[int]] = [[] for _ in edges]
    for node, follow in enumerate(edges):
        for after in follow:
            before[after].append(node)
    bodies: dict[int, set[int]] = {}
    for node, follow in enumerate(edges):
        for header in follow:
            if header <= node and _dominates(above, header, node):
                _grow(bodies.setdefault(header, {header}), node, before)
    return [(header, frozenset(body)) for header, body in sorted(bodies.items())]


def _grow(body: set[int], last: int, before: list[list[int]]) -> None:
    """Add all that leads to *last* without passing the header, which is in *body* already."""
    todo = [last]
    while todo:
        node = todo.pop()
        if node not in body:
            body.add(node)
            todo.extend(before[node])


def _dominates(above: list[int], high: int, low: int) -> bool:
    while low != high and above[low] != low:
        low = above[low]
    return low == high


def _dominators(edges: list[list[int]]) -> list[int]:
    """Give each node's nearest dominator (Cooper, Harvey and Kennedy); itself where unreached."""
    order = _reverse_postorder(edges)
    rank = {node: place for place, node in enumerate(order)}
    before: list[list[int]] = [[] for _ in edges]
    for node in order:
        for after in edges[node]:
            before[after].append(node)
    above = {order[0]: order[0]}
    changed = True
    while changed:
        changed = False
        for node in order[1:]:
            known = [other for other in before[node] if other in above]
            best = known[0]
            for other in known[1:]:
                best = _meet(above, rank, best, other)
            if above.get(node) != best:
                above[node] = best
                changed = True
    return [above.get(node, node) for node in range(len(edges))]


def _meet(above: dict[int, int], rank: dict[int, int], one: int, other: int) -> int:
    while one != other:
        while rank[one] > rank[other]:
            one = above[one]
        while rank[other] > rank[one]:
            other = above[other]
    return one


def _reverse_postorder(edges: list[list[int]]) -> list[int]:
    seen = {0}
    done: list[int] = []
    path = [(0, iter(edges[0]))]
    while path:
        node, follow = path[-1]
        after = next((other for other in follow if other not in seen), None)
        if after is None:
            done.append(node)
            path.pop()
        else:
            seen.add(after)
            path.append((after, iter(edges[after])))
    return done[::-1]
