"""Scikit-learn models fitted in loops: folds by hand, partial fits, a search over parameters."""

# needs: sklearn numpy

import numpy as np
from sklearn.linear_model import LinearRegression, SGDClassifier
from sklearn.model_selection import KFold
from sklearn.tree import DecisionTreeClassifier

SCALE = 6


def data(rng, n=60):
    x = rng.normal(size=(n, 3))
    return x, (x[:, 0] + 0.5 * x[:, 1] > 0).astype(int)


def scores(x, y, depth):
    for train, test in KFold(3, shuffle=True, random_state=1).split(x):
        model = DecisionTreeClassifier(max_depth=depth, random_state=0)
        model.fit(x[train], y[train])
        yield float(model.score(x[test], y[test]))


rng = np.random.default_rng(6)
online = SGDClassifier(random_state=0)
for run in range(SCALE):
    x, y = data(rng)
    best = (0.0, None)
    for depth in (1, 2, 3):
        found = list(scores(x, y, depth))
        print(run, depth, [round(s, 6) for s in found])
        best = max(best, (sum(found), depth))
    for start in range(0, len(x), 20):
        online.partial_fit(x[start : start + 20], y[start : start + 20], classes=[0, 1])
        print(run, start, round(float(online.score(x, y)), 6), online.t_)
    line = LinearRegression().fit(x, x @ [1.0, 2.0, 3.0])
    print(best[1], [round(float(c), 6) for c in line.coef_])
