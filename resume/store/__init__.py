"""Bytes <-> disk: generations of one checkpoint, whole or not at all. Never sees an object."""

from __future__ import annotations

from resume.store.generations import Entry
from resume.store.layout import decode_name, encode_name
from resume.store.pending import Pending
from resume.store.place import find_folder, names, names_in_use
from resume.store.restores import DEATHS, is_death
from resume.store.retention import Retention
from resume.store.store import Store

__all__ = [
    "DEATHS",
    "Entry",
    "Pending",
    "Retention",
    "Store",
    "decode_name",
    "encode_name",
    "find_folder",
    "is_death",
    "names",
    "names_in_use",
]
