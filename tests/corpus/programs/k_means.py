"""K-means on a numpy array, row by row, with the generator handed in."""

# needs: numpy

import numpy as np

SCALE = 545


def k_means(points, k, rounds, rng):
    centres = points[rng.choice(len(points), k, replace=False)]
    for round_ in range(rounds):
        labels = np.empty(len(points), int)
        for i, point in enumerate(points):
            labels[i] = np.argmin(((centres - point) ** 2).sum(1))
        for j in range(k):
            mine = labels == j
            if mine.any():
                centres[j] = points[mine].mean(0)
        print(round_, centres.sum().round(6), np.bincount(labels, minlength=k))
    return centres, labels


rng = np.random.default_rng(0)
for run in range(SCALE):
    points = np.concatenate([rng.normal(m, 0.3, (15, 2)) for m in (0, 2, 5)])
    centres, labels = k_means(points, 3, 5, rng)
    print(centres.round(4).tolist(), labels.tolist())
