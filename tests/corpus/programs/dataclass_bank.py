"""Dataclasses that hold dataclasses, filled by chained method calls."""

from dataclasses import dataclass, field

SCALE = 1400


@dataclass
class Account:
    name: str
    balance: float = 0
    history: list = field(default_factory=list)

    def deposit(self, x):
        for step in range(2):
            self.balance += x / 2
            self.history.append((step, x))
        return self


@dataclass
class Bank:
    accounts: dict = field(default_factory=dict)

    def get(self, name):
        if name not in self.accounts:
            self.accounts[name] = Account(name)
        return self.accounts[name]


for round_ in range(SCALE):
    bank = Bank()
    for i in range(12):
        account = bank.get("abc"[i % 3])
        account.deposit(i).deposit(round_)
        print(account)
    print(bank)
