"""A matcher of patterns, as a machine of states: states that follow each other, closures."""

SIZE = 700


class State:
    def __init__(self, test=None):
        self.test = test
        self.then = None
        self.free = []
        self.is_end = False


def one_of(chars):
    return lambda char: char in chars


def machine(pattern):
    first = last = State()
    for part in pattern:
        chars, often = part[:-1], part[-1]
        fresh, after = State(one_of(chars)), State()
        fresh.then = after
        last.free.append(fresh)
        if often in "*?":
            last.free.append(after)
        if often in "*+":
            after.free.append(fresh)
        last = after
    last.is_end = True
    return first


def closed(states):
    found, waiting = set(), list(states)
    while waiting:
        state = waiting.pop()
        if id(state) in found:
            continue
        found.add(id(state))
        yield state
        waiting.extend(state.free)


def length_of_match(first, text, start):
    states, longest = list(closed([first])), -1
    for at in range(start, len(text)):
        if any(state.is_end for state in states):
            longest = at - start
        states = list(closed([s.then for s in states if s.test is not None and s.test(text[at])]))
        if not states:
            break
    else:
        if any(state.is_end for state in states):
            longest = len(text) - start
    return longest


def main(size):
    digits, letters = "0123456789", "abcdefghij"
    first, total = machine([letters + "+", "_?", digits + "*", letters + "?"]), 0
    for number in range(size):
        text = " ".join(f"ab{k}_{number % (k + 7)}c {k}x" for k in range(40))
        for start in range(len(text)):
            total += length_of_match(first, text, start) + 1
    return total
