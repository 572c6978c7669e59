"""Modules that import each other, a module run by importlib, a lazy import, and module state."""

import importlib

import events
import shapes

SCALE = 4909


@events.on("grown")
def told(size):
    for _ in range(2):
        events.counts["told"] += size
    return size


def main():
    for i in range(10 * SCALE):
        name = ("circle", "square")[i % 2]
        plugin = importlib.import_module(f"plugin_{name}")
        shape = plugin.make(i % 5 + 1)
        print(i, name, shapes.area(shape), events.fire("grown", size=i % 3))
        if i % 7 == 0:
            from plugin_late import late

            print("late", late(i))
    print(sorted(events.counts.items()), shapes.made)


main()
