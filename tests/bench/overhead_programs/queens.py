"""Queens on a board: a recursive generator that yields whole boards, and sets that come and go."""

SIZE = 2200


def boards(size, row, columns, rising, falling, placed):
    if row == size:
        yield tuple(placed)
        return
    for column in range(size):
        if column in columns or row + column in rising or row - column in falling:
            continue
        columns.add(column)
        rising.add(row + column)
        falling.add(row - column)
        placed.append(column)
        yield from boards(size, row + 1, columns, rising, falling, placed)
        placed.pop()
        columns.remove(column)
        rising.remove(row + column)
        falling.remove(row - column)


def main(size):
    total = 0
    for _ in range(size):
        for board in boards(7, 0, set(), set(), set(), []):
            total += board[0] * board[3]
    return total
