"""Shortest paths by a heap, and breadth first by a deque, in a graph of dicts."""

import heapq
from collections import Counter, defaultdict, deque

SCALE = 7199


def graph(n):
    edges = defaultdict(list)
    for i in range(n):
        for j in range(i + 1, min(n, i + 4)):
            weight = (i * 7 + j * 13) % 17 + 1
            edges[i].append((j, weight))
            edges[j].append((i, weight))
    return edges


def dijkstra(edges, start):
    distance, heap = {start: 0}, [(0, start)]
    while heap:
        d, u = heapq.heappop(heap)
        if d > distance[u]:
            continue
        for v, weight in edges[u]:
            if d + weight < distance.get(v, 1e9):
                distance[v] = d + weight
                heapq.heappush(heap, (d + weight, v))
    return distance


def breadth_first(edges, start):
    queue, seen = deque([start]), {start: 0}
    while queue:
        u = queue.popleft()
        for v, _ in edges[u]:
            if v not in seen:
                seen[v] = seen[u] + 1
                queue.append(v)
    return seen


edges = graph(15)
for start in range(3 * SCALE):
    print(dijkstra(edges, start % 15))
    print(breadth_first(edges, start % 15))
print(Counter(len(v) for v in edges.values()).most_common())
