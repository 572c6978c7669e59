"""Errors raised below, handled, raised again and handled above, with else and finally."""

SCALE = 933
log = []


def risky(n):
    total = 0
    for i in range(n):
        if i == 3 and n % 2:
            raise ValueError(f"n={n} i={i}")
        total += i
    return total


def attempt_thrice(n):
    for attempt in range(3):
        try:
            try:
                result = risky(n + attempt)
            except ValueError as error:
                log.append(str(error))
                for z in range(3):
                    log.append((z, str(error)))
                if attempt == 1:
                    raise
                continue
            else:
                for z in range(2):
                    log.append(("else", z))
                return result
            finally:
                log.append(("finally", n, attempt))
        except ValueError as outer:
            for z in range(2):
                log.append(("outer", repr(outer), z))
            try:
                for q in range(2):
                    raise KeyError(q)
            except (KeyError, IndexError):
                for q in range(2):
                    log.append(q)
    return None


for n in range(2, 7 * SCALE):
    print(n, attempt_thrice(n))
for entry in log:
    print(entry)
