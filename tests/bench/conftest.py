"""Measurements: ratios taken in one run, written as JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

import pytest


def pytest_addoption(parser):
    parser.addoption(
        "--bench-json",
        default=os.environ.get("BENCH_JSON"),
        help="where tests/bench writes its ratios (default: BENCH_JSON, else the temporary folder)",
    )


@pytest.fixture(scope="session")
def report(request, tmp_path_factory):
    """Call it with a name and numbers: they are in the JSON file when the session ends."""
    chosen = request.config.getoption("--bench-json", default=None) or os.environ.get("BENCH_JSON")
    path = Path(chosen) if chosen else tmp_path_factory.mktemp("bench") / "bench.json"
    path = path.absolute()  # the tests change the working folder
    results = {}

    def note(name, **numbers):
        results[name] = numbers

    yield note
    machine = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**machine, "results": results}, indent=1) + "\n")
    sys.stderr.write(f"\nratios written to {path}\n")
