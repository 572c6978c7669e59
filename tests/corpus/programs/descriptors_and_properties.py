"""Properties with setters, cached values, descriptors that keep a history, and attribute hooks."""

import functools

SCALE = 12960


class History:
    def __init__(self, start):
        self.start = start

    def __set_name__(self, owner, name):
        self.slot = f"_{name}_history"

    def __get__(self, instance, owner):
        if instance is None:
            return self
        return instance.__dict__.get(self.slot, [self.start])[-1]

    def __set__(self, instance, value):
        trail = instance.__dict__.setdefault(self.slot, [self.start])
        for old in trail[-2:]:
            if old == value:
                return
        trail.append(value)


class Sensor:
    level = History(0)

    def __init__(self, name):
        self.name = name
        self.writes = 0

    def __setattr__(self, name, value):
        if name == "level":
            for _ in range(2):
                self.__dict__["writes"] += 1
        super().__setattr__(name, value)

    @property
    def trail(self):
        out = []
        for value in self._level_history:
            out.append(value)
        return out

    @trail.setter
    def trail(self, values):
        for value in values:
            self.level = value

    @trail.deleter
    def trail(self):
        while len(self._level_history) > 1:
            self._level_history.pop()

    @functools.cached_property
    def code(self):
        total = 0
        for letter in self.name:
            total = total * 31 + ord(letter)
        return total % 9973


sensors = [Sensor(f"sensor{i}") for i in range(3)]
for i in range(SCALE):
    for sensor in sensors:
        sensor.level = i * sensor.code % 11
        sensor.trail = [i, i, i + 1]
        print(sensor.name, sensor.level, sensor.writes, sensor.trail[-4:], sensor.code)
        if len(sensor.trail) > 12:
            del sensor.trail
