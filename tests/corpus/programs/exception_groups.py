"""Groups of errors split by except*, with notes, and the rest raised again."""

SCALE = 12960


def checked(n):
    total = 0
    for i in range(3):
        total += i * n
    if n % 3 == 1:
        raise ValueError(f"value {n}")
    if n % 3 == 2:
        raise TypeError(f"type {n}")
    return total


def gather(numbers):
    results, errors = [], []
    for n in numbers:
        try:
            results.append(checked(n))
        except (ValueError, TypeError) as error:
            error.add_note(f"note of {n}")
            errors.append(error)
    if errors:
        raise ExceptionGroup("some failed", errors)
    return results


def main(n):
    told = []
    try:
        told.append(gather(range(n)))
    except* ValueError as group:
        for error in group.exceptions:
            told.append((str(error), error.__notes__))
    except* TypeError as group:
        told.append(len(group.exceptions))
    finally:
        told.append("finally")
    try:
        try:
            gather([1, 2, n])
        except* ValueError:
            told.append("values")
    except ExceptionGroup as rest:
        for error in rest.exceptions:
            told.append(repr(error))
    return told


for n in range(SCALE):
    print(n, main(n % 9))
