"""The sieve of Eratosthenes, and Collatz lengths, once as the key of `max`."""

SCALE = 877


def sieve(n):
    is_prime = [True] * (n + 1)
    is_prime[0] = is_prime[1] = False
    i = 2
    while i * i <= n:
        if is_prime[i]:
            for j in range(i * i, n + 1, i):
                is_prime[j] = False
        i += 1
    return [i for i, prime in enumerate(is_prime) if prime]


def collatz(n):
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


for round_ in range(1, SCALE + 1):
    print(len(sieve(120 * round_)), max(range(1, 30), key=collatz))
    for i in range(round_, round_ + 15):
        print(i, collatz(i))
