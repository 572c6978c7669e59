"""Heat on a plate in numpy: arrays changed in place, views, masks, errstate and a stop criterion."""

# needs: numpy
# writes: heat.npy

import numpy as np

SCALE = 333


def sources(shape):
    mask = np.zeros(shape, bool)
    mask[2:4, 3] = True
    mask[-2, :] = True
    return mask


def relax(plate, fixed, steps):
    inner = plate[1:-1, 1:-1]
    keep = plate[fixed].copy()
    for step in range(steps):
        before = plate.copy()
        inner += 0.2 * (plate[:-2, 1:-1] + plate[2:, 1:-1] + plate[1:-1, :-2] + plate[1:-1, 2:])
        inner -= 0.8 * before[1:-1, 1:-1]
        plate[fixed] = keep
        change = np.abs(plate - before).max()
        for row in plate[::4]:
            change = max(change, row.std() / 1e3)
        yield step, float(change)
        if change < 1e-3:
            return


for run in range(SCALE):
    plate = np.full((10, 12), float(run % 3))
    fixed = sources(plate.shape)
    plate[fixed] = 50.0
    for step, change in relax(plate, fixed, 20):
        with np.errstate(divide="ignore"):
            print(run, step, f"{change:.9f}", np.isinf(np.array([1.0]) / 0)[0])
    np.save("heat.npy", plate)
    loaded = np.load("heat.npy")
    print(
        loaded.sum().round(6),
        (loaded == plate).all(),
        plate.argmax(),
        inner.shape if run < 0 else "",
    )
