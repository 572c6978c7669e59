"""Longest common subsequence in a table, and the knapsack by a recursive closure with a memo."""

SCALE = 5538


def common(a, b):
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            if x == y:
                table[i][j] = table[i - 1][j - 1] + 1
            else:
                table[i][j] = max(table[i - 1][j], table[i][j - 1])
    out, i, j = "", len(a), len(b)
    while i and j:
        if a[i - 1] == b[j - 1]:
            out = a[i - 1] + out
            i -= 1
            j -= 1
        elif table[i - 1][j] >= table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return out


def knapsack(items, capacity):
    memo = {}

    def best_of(i, left):
        if i == len(items):
            return 0
        if (i, left) not in memo:
            value, weight = items[i]
            best = best_of(i + 1, left)
            if weight <= left:
                best = max(best, value + best_of(i + 1, left - weight))
            memo[i, left] = best
        return memo[i, left]

    return best_of(0, capacity)


for round_ in range(SCALE):
    print(common("AGGTABQWERTY"[round_ % 5 :] * 2, "GXTXAYBWRT" * 2))
    print(knapsack([(60, 10), (100, 20), (120, 30), (30, 5)], 50 + round_))
