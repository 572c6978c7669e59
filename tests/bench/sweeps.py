"""What a sweep costs: `python tests/bench/sweeps.py [--items 1000000] [--json PATH]`.

`record` is timed call by call over so many items, in batches and (fewer) with the disk waited for;
beside it a bare append, and an append with fsync, of the same bytes, in turns so that both meet the
same disk. Then the log is opened again, as a relaunch does, and the memory is told that the results
do not take. To be run on a quiet machine: `chrt -f 10` gives it the processor to itself.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import sys
import tempfile
import tracemalloc
from array import array
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

os.environ["RESUME_QUIET"] = "1"

from resume.sweep import ResumableSweep
from resume.sweep.lines import TAIL
from resume.sweep.log import Log, new_head

BOUNDS = {
    "last_to_first": 1.5,
    "to_bare_fsync": 3.0,
    "batch_us": 60.0,
    "lines_per_second": 300_000,
}


def item(number: int) -> str:
    """The key of an item, as long as they usually are."""
    return f"alpha={number / 7:.4f},fold={number % 5}"


def sweep_of(items: list[str], folder: Path, **options: object) -> ResumableSweep:
    """A sweep in *folder*."""
    return ResumableSweep(items, checkpoint_path=folder / "grid", **options)


def timed_records(sweep: ResumableSweep, items: list[str]) -> array[float]:
    """Seconds of each `record`."""
    took = array("d")
    record = sweep.record
    gc.collect()
    for number, each in enumerate(items):
        began = perf_counter()
        record(each, number / 3)
        took.append(perf_counter() - began)
    return took


def in_batches(items: list[str], folder: Path) -> dict[str, float]:
    """All items recorded with `durable="batch"`."""
    took = timed_records(sweep_of(items, folder, durable="batch"), items)
    hundredth = max(1, len(took) // 100)
    first, last = statistics.median(took[:hundredth]), statistics.median(took[-hundredth:])
    return {
        "median_us": statistics.median(took) * 1e6,
        "mean_us": statistics.fmean(took) * 1e6,
        "first_us": first * 1e6,
        "last_us": last * 1e6,
        "last_to_first": last / first,
    }


def beside_bare_fsync(folder: Path, count: int) -> dict[str, float]:
    """`record` that waits for the disk, in turns with an append and fsync of the same bytes."""
    items = [item(number) for number in range(count)]
    sweep = sweep_of(items, folder)
    sweep.record(items[0], 0.5)
    ours, bare = [], []
    descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number, each in enumerate(items[1:]):
        before = sweep.path.stat().st_size
        began = perf_counter()
        sweep.record(each, number / 3)
        ours.append(perf_counter() - began)
        line = sweep.path.read_bytes()[before:]
        began = perf_counter()
        os.write(descriptor, line)
        os.fsync(descriptor)
        bare.append(perf_counter() - began)
    os.close(descriptor)
    return {
        "record_us": statistics.median(ours) * 1e6,
        "bare_us": statistics.median(bare) * 1e6,
        "ratio": statistics.median(ours) / statistics.median(bare),
    }


def opened_again(items: list[str], folder: Path) -> dict[str, float]:
    """The log opened: by itself, and by a sweep, which makes the keys of its items too."""
    path = folder / "grid.sweep.jsonl"
    gc.collect()
    began = perf_counter()
    log = Log(path, new_head("grid", len(items)), lambda _: None)
    log.refresh()
    read_s = perf_counter() - began
    gc.collect()
    began = perf_counter()
    sweep = sweep_of(items, folder)
    whole_s = perf_counter() - began
    count = len(items)
    assert len(sweep.completed) == count == log.count - 1
    return {
        "lines_per_second": count / read_s,
        "items_per_second": count / whole_s,
        "bytes_per_line": (log.size - TAIL) / count,
    }


def memory(folder: Path, count: int) -> dict[str, float]:
    """Bytes for each item of a sweep whose results are small, and of one whose are large."""
    found = {}
    for name, width in (("small", 1), ("large", 400)):
        place = folder / name
        place.mkdir()
        items = [item(number) for number in range(count)]
        with sweep_of(items, place, durable="batch") as sweep:
            for each in items:
                sweep.record(each, [0.125] * width)
        gc.collect()
        tracemalloc.start()
        sweep = sweep_of(items, place)
        found[f"{name}_bytes_an_item"] = tracemalloc.get_traced_memory()[0] / count
        tracemalloc.stop()
        del sweep
    return found


def measure(count: int, synced: int, scratch: Path | None = None) -> dict[str, dict[str, float]]:
    """Everything, in a scratch folder."""
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        items = [item(number) for number in range(count)]
        (folder / "synced").mkdir()
        return {
            "batch": in_batches(items, folder),
            "opening": opened_again(items, folder),
            "synced": beside_bare_fsync(folder / "synced", synced),
            "memory": memory(folder, min(count, 20_000)),
        }


def rows(found: dict[str, dict[str, float]]) -> list[str]:
    """The figures, each with what it is to be."""
    batch, opening = found["batch"], found["opening"]
    synced, kept = found["synced"], found["memory"]
    return [
        (
            f"record, in batches: {batch['median_us']:.1f} us median, "
            f"{batch['mean_us']:.1f} us mean (at most {BOUNDS['batch_us']:.0f})"
        ),
        (
            f"  first 1 %: {batch['first_us']:.1f} us, last 1 %: {batch['last_us']:.1f} us: "
            f"{batch['last_to_first']:.2f} times (at most {BOUNDS['last_to_first']})"
        ),
        (
            f"record, durable: {synced['record_us']:.0f} us, bare append and fsync: "
            f"{synced['bare_us']:.0f} us: {synced['ratio']:.2f} times "
            f"(at most {BOUNDS['to_bare_fsync']})"
        ),
        (
            f"opening: {opening['lines_per_second']:,.0f} lines/s (at least "
            f"{BOUNDS['lines_per_second']:,}), {opening['bytes_per_line']:.0f} bytes a line; "
            f"with the items' keys {opening['items_per_second']:,.0f} items/s"
        ),
        (
            f"memory: {kept['small_bytes_an_item']:.0f} bytes an item with small results, "
            f"{kept['large_bytes_an_item']:.0f} with large ones"
        ),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--synced", type=int, default=500, help="items that wait for the disk")
    parser.add_argument("--scratch", type=Path, help="folder on the disk that is measured")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measure(given.items, given.synced, given.scratch)
    print(f"Python {platform.python_version()}, {given.items:,} items")
    print("\n".join(rows(found)))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
