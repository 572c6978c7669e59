"""Minimax with pruning and a memo plays tic-tac-toe against itself and against a random player."""

import random

SCALE = 344
LINES = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]


def winner(board):
    for a, b, c in LINES:
        if board[a] != "." and board[a] == board[b] == board[c]:
            return board[a]
    return None


def minimax(board, player, low, high, memo):
    key = "".join(board) + player
    if key in memo:
        return memo[key]
    won = winner(board)
    if won:
        return (1 if won == "x" else -1), None
    free = [i for i, c in enumerate(board) if c == "."]
    if not free:
        return 0, None
    best = (-2, None) if player == "x" else (2, None)
    for move in free:
        board[move] = player
        score = minimax(board, "o" if player == "x" else "x", low, high, memo)[0]
        board[move] = "."
        if player == "x" and score > best[0]:
            best, low = (score, move), max(low, score)
        elif player == "o" and score < best[0]:
            best, high = (score, move), min(high, score)
        if low >= high:
            break
    memo[key] = best
    return best


def play(rng, opening):
    board, player, memo = list("........."), "x", {}
    board[opening % 9] = "o"
    moves = []
    while winner(board) is None and "." in board:
        if player == "o" and rng is not None:
            move = rng.choice([i for i, c in enumerate(board) if c == "."])
        else:
            move = minimax(board, player, -2, 2, memo)[1]
        board[move] = player
        moves.append(move)
        player = "o" if player == "x" else "x"
    return winner(board), moves, len(memo)


rng = random.Random(1)
for game in range(SCALE):
    print(game, play(None if game % 5 == 0 else rng, game))
