"""A net of one-way constraints: short loops over attributes, many classes, plans made anew."""

SIZE = 3300


class Variable:
    def __init__(self, value):
        self.value = value
        self.users = []
        self.source = None
        self.stamp = 0


class Constraint:
    def __init__(self, strength):
        self.strength = strength

    def inputs(self):
        return []

    def ready(self, stamp):
        for variable in self.inputs():
            if variable.stamp != stamp and variable.source is not None:
                return False
        return True

    def attach(self):
        self.output.source = self
        for variable in self.inputs():
            variable.users.append(self)

    def execute(self):
        self.output.value = self.result()


class Equal(Constraint):
    def __init__(self, left, right):
        super().__init__(2)
        self.left, self.output = left, right
        self.attach()

    def inputs(self):
        return [self.left]

    def result(self):
        return self.left.value


class Scale(Constraint):
    def __init__(self, left, factor, offset, right):
        super().__init__(3)
        self.left, self.factor, self.offset, self.output = left, factor, offset, right
        self.attach()

    def inputs(self):
        return [self.left, self.factor, self.offset]

    def result(self):
        return (self.left.value * self.factor.value + self.offset.value) % 65_521


class Planner:
    def __init__(self):
        self.stamp = 0

    def plan(self, start):
        self.stamp += 1
        start.stamp = self.stamp
        found, waiting = [], list(start.users)
        while waiting:
            constraint = waiting.pop()
            if constraint.output.stamp == self.stamp or not constraint.ready(self.stamp):
                continue
            found.append(constraint)
            constraint.output.stamp = self.stamp
            for user in constraint.output.users:
                waiting.append(user)
        return found

    def change(self, variable, value):
        variable.value = value
        for constraint in self.plan(variable):
            constraint.execute()


def chain(length):
    first = last = Variable(0)
    for _ in range(length):
        fresh = Variable(0)
        Equal(last, fresh)
        last = fresh
    return first, last


def projection(length):
    first = last = Variable(1)
    for number in range(length):
        fresh = Variable(0)
        Scale(last, Variable(number % 7 + 1), Variable(number % 5), fresh)
        last = fresh
    return first, last


def main(size):
    planner, total = Planner(), 0
    for build in (chain, projection):
        first, last = build(50)
        for number in range(size * 10):
            planner.change(first, number)
            total += last.value
    return total
