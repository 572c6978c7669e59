"""Transfers with a hierarchy of errors, roll back by a context manager, and an audit at the end."""

import contextlib
import copy

SCALE = 2160


class BankError(Exception):
    code = 1


class Short(BankError):
    code = 2

    def __init__(self, missing):
        super().__init__(f"{missing} missing")
        self.missing = missing


class Unknown(BankError, KeyError):
    code = 3


class Bank:
    def __init__(self, **accounts):
        self.accounts = accounts
        self.journal = []

    @contextlib.contextmanager
    def transaction(self, name):
        before = copy.deepcopy(self.accounts)
        try:
            yield self.journal
        except BankError as error:
            self.accounts = before
            self.journal.append((name, "back", error.code))
            raise
        else:
            self.journal.append((name, "done"))

    def balance(self, who):
        try:
            return self.accounts[who]
        except KeyError as error:
            raise Unknown(who) from error

    def move(self, source, target, amount):
        rest = self.balance(source) - amount
        if rest < 0:
            raise Short(-rest)
        self.accounts[source] = rest
        for part in (amount // 2, amount - amount // 2):
            self.accounts[target] = self.balance(target) + part


def chain(bank, route, amount):
    with bank.transaction("-".join(route)) as journal:
        for source, target in zip(route, route[1:]):
            bank.move(source, target, amount)
            journal.append((source, target, amount))


bank = Bank(ann=100, bob=50, cat=5)
for i in range(12 * SCALE):
    route = ["ann", "bob", "cat", "dan"][i % 2 : i % 3 + 2]
    if i % 5 == 0:
        route = route[::-1]
    try:
        chain(bank, route, i % 17)
    except Short as error:
        bank.accounts["ann"] += error.missing
        print(i, "short", error, bank.accounts)
    except BankError as error:
        print(i, type(error).__name__, error, type(error.__cause__).__name__)
    else:
        print(i, route, sorted(bank.accounts.items()))
print(len(bank.journal), sum(bank.accounts.values()))
for entry in bank.journal[-5:]:
    print(entry)
