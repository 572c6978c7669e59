"""A simulation with dataclasses: customers, shops and orders that change each other, day by day."""

from dataclasses import dataclass, field, replace

SIZE = 58_000


@dataclass
class Goods:
    name: str
    price: float
    stock: int = 50

    def sell(self, amount):
        sold = min(amount, self.stock)
        self.stock -= sold
        return sold


@dataclass(order=True)
class Order:
    day: int
    customer: int
    name: str = field(compare=False)
    amount: int = field(compare=False, default=1)


@dataclass
class Shop:
    goods: dict = field(default_factory=dict)
    income: float = 0.0
    open_orders: list = field(default_factory=list)

    def add(self, goods):
        self.goods[goods.name] = goods

    def order(self, order):
        self.open_orders.append(order)

    def serve(self, day):
        left = []
        for order in sorted(self.open_orders):
            goods = self.goods[order.name]
            sold = goods.sell(order.amount)
            self.income += sold * goods.price
            if sold < order.amount and order.day > day - 3:
                left.append(replace(order, amount=order.amount - sold))
        self.open_orders = left

    def refill(self, day):
        for goods in self.goods.values():
            if goods.stock < 10:
                goods.stock += 40 + day % 7
                goods.price = round(goods.price * 1.001, 6)


@dataclass
class Customer:
    number: int
    money: float = 100.0
    wishes: list = field(default_factory=list)

    def decide(self, day, shop):
        self.money += 5
        name = self.wishes[(day + self.number) % len(self.wishes)]
        price = shop.goods[name].price
        if self.money >= 2 * price:
            self.money -= price
            shop.order(Order(day, self.number, name, 1 + self.number % 3))


def main(size):
    shop, names = Shop(), ["bread", "milk", "salt", "oil", "rice"]
    for number, name in enumerate(names):
        shop.add(Goods(name, 1.5 + number))
    customers = [Customer(n, wishes=names[n % 4 :] + names[: n % 2]) for n in range(40)]
    for day in range(size):
        for customer in customers:
            customer.decide(day, shop)
        shop.serve(day)
        shop.refill(day)
    return round(shop.income, 4), sum(goods.stock for goods in shop.goods.values())
