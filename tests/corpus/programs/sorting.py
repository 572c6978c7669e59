"""Four sorting algorithms, chosen from a tuple of functions, on random lists."""

import random

SCALE = 2999


def quick(a):
    if len(a) < 2:
        return a
    pivot, *rest = a
    return quick([x for x in rest if x < pivot]) + [pivot] + quick([x for x in rest if x >= pivot])


def merge(a):
    if len(a) < 2:
        return a
    middle = len(a) // 2
    left, right = merge(a[:middle]), merge(a[middle:])
    out = []
    while left and right:
        out.append(left.pop(0) if left[0] <= right[0] else right.pop(0))
    return out + left + right


def bubble(a):
    a = list(a)
    for i in range(len(a)):
        for j in range(len(a) - 1 - i):
            if a[j] > a[j + 1]:
                a[j], a[j + 1] = a[j + 1], a[j]
    return a


def heap(a):
    def sift(low, n):
        while (child := 2 * low + 1) < n:
            if child + 1 < n and a[child] < a[child + 1]:
                child += 1
            if a[low] >= a[child]:
                break
            a[low], a[child] = a[child], a[low]
            low = child

    for i in range(len(a) // 2 - 1, -1, -1):
        sift(i, len(a))
    for end in range(len(a) - 1, 0, -1):
        a[0], a[end] = a[end], a[0]
        sift(0, end)
    return a


random.seed(3)
for round_ in range(SCALE):
    data = [random.randrange(100) for _ in range(25)]
    for sort in (quick, merge, bubble, heap):
        print(sort.__name__, sort(list(data)) == sorted(data), sort(list(data)))
