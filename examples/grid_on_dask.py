# Run: python examples/grid_on_dask.py [400]. Kill: pkill -9 -f grid_on_dask. Run it again.
"""The grid of grid_search.py on a cluster of Dask: `pip install distributed scikit-learn`.

Kill its workers, too. A real cluster: `Client("tcp://its-scheduler:8786")`, and no LocalCluster.
"""

import dask
from dask.distributed import Client, LocalCluster
from grid_search import search

# Dask gives up a worker that is away for 15 s; on a busy machine one takes longer to start again.
dask.config.set({"distributed.deploy.lost-worker-timeout": "10m"})

if __name__ == "__main__":
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        search(client.get_executor())
