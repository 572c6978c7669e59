"""Looking at every byte of a place, and telling which generations a damage harms."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from resume.errors import IntegrityError, StoreError
from resume.store.extents import extents_of
from resume.store.filling import read_extent
from resume.store.generations import Entry, opened
from resume.store.restore import is_hashed, read_own_tables
from resume.store.sources import Source, empty, hash_file
from resume.types import BodyRef, Manifest, Problem


def find_problems(place: Path, entries: Sequence[Entry]) -> list[Problem]:
    """Everything that is wrong with the generations of *place*; every body is read once."""
    problems = [
        Problem(one.path.name, one.problem, (one.number,)) for one in entries if one.problem
    ]
    manifests = [one.manifest for one in entries if one.manifest is not None]
    for body in _bodies(manifests):
        problem = _check_body(place, body, manifests)
        if problem is not None:
            problems.append(problem)
    return problems


def _bodies(manifests: Iterable[Manifest]) -> list[BodyRef]:
    return sorted({body for one in manifests for body in one.bodies}, key=lambda body: body.name)


def _check_body(place: Path, body: BodyRef, manifests: Iterable[Manifest]) -> Problem | None:
    path = place / body.name
    try:
        with opened(path) as descriptor:
            size = os.fstat(descriptor).st_size
            if size == body.size_bytes and hash_file(descriptor) == body.sha256:
                return None
            source = Source(path, descriptor)
            what = f"{size} bytes instead of {body.size_bytes}"
            if size == body.size_bytes:
                what = "its bytes are not those written (sha256)"
            users = [one for one in manifests if body in one.bodies]
            harmed = [one.number for one in users if _is_harmed(place, one, body, source)]
            return Problem(body.name, what, tuple(sorted(harmed)))
    except StoreError as why:
        users = [one for one in manifests if body in one.bodies]
        return Problem(body.name, str(why), tuple(sorted(one.number for one in users)))


def _is_harmed(place: Path, manifest: Manifest, body: BodyRef, source: Source) -> bool:
    """Whether a restore of *manifest* would find the damage."""
    if is_hashed(manifest):
        return True
    try:
        stored = read_own_tables(place, manifest)
        for extent in {one for one in extents_of(stored) if one.body == body.name}:
            read_extent(extent, source, empty(extent.raw))
    except IntegrityError:
        return True
    return False
