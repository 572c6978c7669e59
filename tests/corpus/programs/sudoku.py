"""Small sudokus by backtracking in place, with a global count of tries."""

SCALE = 17280
tries = 0


def fits(board, row, column, value):
    for i in range(4):
        if board[row][i] == value or board[i][column] == value:
            return False
    for i in range(2):
        for j in range(2):
            if board[row // 2 * 2 + i][column // 2 * 2 + j] == value:
                return False
    return True


def solve(board):
    global tries
    for row in range(4):
        for column in range(4):
            if board[row][column] == 0:
                for value in range(1, 5):
                    tries += 1
                    if fits(board, row, column, value):
                        board[row][column] = value
                        if solve(board):
                            return True
                        board[row][column] = 0
                return False
    return True


for round_ in range(SCALE):
    board = [list(map(int, row)) for row in ("1020", "0002", "0100", "2003")]
    board[0][0] = 0 if round_ % 3 == 2 else 1
    print(solve(board), tries)
    for row in board:
        print(row)
