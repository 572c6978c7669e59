# Run: python examples/grid_on_ray.py [400]. Kill: pkill -9 -f grid_on_ray. Run it again.
"""The grid of grid_search.py on a local Ray: `pip install ray scikit-learn`.

Kill its workers, too (`ray::`). On a real cluster: `ray.init("auto")`.
"""

import ray
from grid_search import search

from resume.sweep.on_ray import RayExecutor

if __name__ == "__main__":
    ray.init(num_cpus=2, object_store_memory=100_000_000, include_dashboard=False)
    search(RayExecutor(num_cpus=1))
