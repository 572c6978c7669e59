"""Loops over the views of dicts, over sets, and over a list that grows meanwhile."""

SCALE = 1440


def main(round_):
    places = {k: i for i, k in enumerate("hello world of dicts")}
    numbers = {3, 1, 4, 15, 92, 65, round_}
    out = []
    for key, place in places.items():
        for x in numbers:
            if x > place:
                out.append((key, x))
        places[key] = place + 1
    for key in list(places):
        if places[key] % 2:
            del places[key]
    for place in places.values():
        out.append(place)
    for key in reversed(places):
        out.append(key)
    for a, b in zip(places, sorted(numbers)):
        out.append((a, b))
    for text in map(str, numbers):
        out.append(text)
    for true in filter(None, [0, 1, round_]):
        out.append(true)
    growing = [1, 2, 3]
    for x in growing:
        if len(growing) < 12:
            growing.append(x * 2)
        out.append(x)
    return out


for round_ in range(SCALE):
    for entry in main(round_):
        print(round_, entry)
