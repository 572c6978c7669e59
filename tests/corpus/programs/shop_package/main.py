"""A package of modules beside the script: stock, prices and orders, with a registry across them."""

# writes: orders.txt

import prices
from orders import Order, place
from stock import Stock
from stock.counting import count

SCALE = 2721


def main():
    stock = Stock()
    for name, n in (("apple", 50), ("pear", 20), ("plum", 5)):
        stock.add(name, n * SCALE)
    total = 0
    with open("orders.txt", "w") as out:
        for i in range(20 * SCALE):
            order = Order(i, [("apple", i % 4), ("pear", i % 3), ("plum", i % 2)])
            try:
                cost = place(order, stock)
            except LookupError as error:
                print(i, "refused:", error)
                continue
            total += cost
            print(order, cost, file=out)
            print(i, cost, total, count(stock))
    print(total, prices.asked, sorted(prices.known))


if __name__ == "__main__":
    main()
