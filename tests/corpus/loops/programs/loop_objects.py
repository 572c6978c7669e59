# expect: equal
"""The items are objects of the state: what the body does to an item is done to the object."""

import dataclasses
import json

from ticks import tick

from resume import Checkpoint


@dataclasses.dataclass
class Planet:
    place: float
    speed: float
    near: list = dataclasses.field(default_factory=list)


def work():
    chp = Checkpoint(rate=0, fsync=False)
    planets = [Planet(0.0, 1.0), Planet(5.0, -1.0), Planet(9.0, 0.5)]
    for a in planets:
        a.near.extend(b for b in planets if b is not a)
    chp.restore()
    for year in chp.loop(range(2)):
        for planet in chp.loop(planets):
            tick()
            planet.place += planet.speed
            for other in planet.near:
                other.speed += 0.01 * (planet.place - other.place)
    return [(p.place, p.speed, [q is planets[1] for q in p.near]) for p in planets]


print(json.dumps(work()))
