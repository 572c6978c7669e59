# Run: python examples/grid_search.py [400]. Kill: pkill -9 -f grid_search. Run it again.
"""A grid of decision trees on scikit-learn's digits, each scored by two processes as they come."""

import itertools
import sys
from concurrent.futures import ProcessPoolExecutor

from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier

from resume import ResumableSweep

GRID = itertools.product([4, 8, 12, 16, None], [1, 2, 4, 8], ["gini", "entropy"], range(10))
NAMES = ("max_depth", "min_samples_leaf", "criterion", "random_state")


def score(parameters):
    pixels, digits = load_digits(return_X_y=True)
    tree = DecisionTreeClassifier(**parameters)
    return cross_val_score(tree, pixels[:600], digits[:600], cv=3).mean()


def two_processes():
    return ProcessPoolExecutor(2)


def search(executor):
    count = int(sys.argv[1]) if sys.argv[1:] else 400
    sweep = ResumableSweep([dict(zip(NAMES, each)) for each in GRID][:count], name="trees")
    sweep.map(score, executor)
    ranked = sorted(sweep.pairs(), key=lambda pair: -pair[1])
    for parameters, accuracy in ranked[:3]:
        print(f"{accuracy:.2%} {parameters}")
    print(f"{len(sweep.completed)} of {len(sweep)}, mean {sum(sweep.completed) / len(sweep):.6f}")


if __name__ == "__main__":
    search(two_processes)  # it makes another pool when a worker dies
