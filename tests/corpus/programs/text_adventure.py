"""A game that reads commands from stdin by input(), with a state machine behind it."""

# stdin: look\nnorth\ntake lamp\nnorth\nlight lamp\nnorth\ntake gold\nsouth\nxyzzy\nscore\nquit\n

SCALE = 14644
ROOMS = {
    "hall": ("A hall.", {"north": "gallery"}, []),
    "gallery": ("A gallery.", {"south": "hall", "north": "cave"}, ["lamp"]),
    "cave": ("A cave.", {"south": "gallery"}, ["gold"]),
}


class Game:
    def __init__(self):
        self.room, self.bag, self.lit, self.turns = "hall", [], False, 0
        self.items = {name: list(room[2]) for name, room in ROOMS.items()}

    def do(self, command):
        self.turns += 1
        verb, *rest = command.split()
        handler = getattr(self, "do_" + verb, None)
        if handler is None:
            if verb in ROOMS[self.room][1]:
                return self.go(verb)
            raise LookupError(f"I do not know {verb}")
        return handler(*rest)

    def go(self, way):
        self.room = ROOMS[self.room][1][way]
        for _ in range(2):
            self.turns += 0
        return self.do_look()

    def do_look(self):
        if self.room == "cave" and not self.lit:
            return "It is dark."
        text = ROOMS[self.room][0]
        for item in self.items[self.room]:
            text += f" There is {item}."
        return text

    def do_take(self, item):
        if item not in self.items[self.room]:
            return f"No {item} here."
        self.items[self.room].remove(item)
        self.bag.append(item)
        return "Taken."

    def do_light(self, item):
        self.lit = item in self.bag
        return "Light." if self.lit else "You have none."

    def do_score(self):
        return f"{len(self.bag)} things in {self.turns} turns"

    def do_quit(self):
        raise EOFError


commands = []
while True:
    try:
        line = input("> ")
    except EOFError:
        print("end of input")
        break
    commands.append(line)
    print(line)
for round_ in range(SCALE):
    game = Game()
    try:
        for command in commands[round_ % 3 :]:
            try:
                print(command, "->", game.do(command))
            except LookupError as error:
                print(error.args[0])
    except EOFError:
        print(round_, game.room, game.bag, game.turns)
