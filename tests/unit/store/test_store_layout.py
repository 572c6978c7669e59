"""Names, heads and manifests: there and back, and refused where they are not ours."""

from __future__ import annotations

import json
import os

import pytest
from crash.disk import draft, save
from hypothesis import given
from hypothesis import strategies as st

from resume.errors import ConfigError
from resume.store import Store, decode_name, encode_name, layout, names


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("compute_primes", "compute_primes"),
        ("train@3f2a91c0", "train@3f2a91c0"),
        ("a.b-c", "a.b-c"),
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        (".hidden", "%2Ehidden"),
        ("dot.", "dot%2E"),
        ("ü x", "%C3%BC%20x"),
        ("100%", "100%25"),
        ("<locals>", "%3Clocals%3E"),
    ],
)
def test_names_are_safe_and_readable(name, folder):
    """What is outside the safe letters is percent-encoded, and comes back."""
    assert encode_name(name) == folder
    assert decode_name(folder) == name


@given(st.text(min_size=1, max_size=40))
def test_every_short_name_comes_back(name):
    """Any text, lone surrogates included, and no two share a folder."""
    folder = encode_name(name)
    if "~" not in folder:
        assert decode_name(folder) == name
    assert set(folder) <= set(map(chr, layout._SAFE)) | {"%", "~"}


def test_a_long_name_is_shortened_and_its_manifests_tell_it(tmp_path):
    """A file name holds 255 bytes; the true name is told by `names`."""
    long, longer = "wörter" * 60, "wörter" * 61
    assert encode_name(long) != encode_name(longer)
    assert len(encode_name(long)) < 255
    with pytest.raises(ConfigError):
        decode_name(encode_name(long))
    store = Store(tmp_path, long)
    save(store, 1, None)
    store.unlock()

    assert names(tmp_path) == [long]


def test_an_empty_name_is_refused():
    """It would be the folder itself."""
    with pytest.raises(ConfigError, match="name="):
        encode_name("")


def test_no_folder_of_ours_has_no_name():
    """What `encode_name` never gives is not decoded."""
    for folder in ("a b", "%2", "%zz", "%ff", "%FF", ""):
        with pytest.raises(ConfigError):
            decode_name(folder)


def test_the_head_of_a_body_comes_back():
    """The first line says line, numbers and writer; a flipped byte makes it say nothing."""
    head = layout.Head("ab" * 8, 12, None, "00ff00ff", 77)
    data = layout.encode_head(head)

    assert data.endswith(b"\n")
    assert len(data) < layout.HEAD_BYTES
    assert layout.decode_head(data + b"rest\n") == head
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1
        assert layout.decode_head(bytes(flipped)) is None


def test_a_manifest_is_readable_json(tmp_path):
    """What a person looks for stands at the top level, and commit returns what a reader finds."""
    store = Store(tmp_path, "x", fsync=False)
    told = draft(extra={"tag": [1, 2]}, position={"loops": (1, 2)}, config={1: "a"}, metric=0.5)
    made = store.commit(told, b"s", [], parent=None)
    record = json.loads((store.place / "00000001.ckpt.manifest.json").read_text())

    assert record["schema_version"] == 1
    assert record["sha256"] == made.body.sha256
    assert record["size_bytes"] == os.stat(store.place / record["body"]).st_size
    assert record["extra"] == {"tag": [1, 2]}
    assert record["variables"][0]["name"] == "w"
    for key in ("name", "call", "position", "environment", "trigger", "line", "parent", "created"):
        assert key in record
    assert made == store.manifest(1)
    assert made.draft.config == {"1": "a"}
    assert made.draft.variables == told.variables
    store.unlock()


def test_what_json_cannot_say_is_refused_by_name(tmp_path):
    """`extra=` with an object in it: ConfigError, and nothing is left of the save."""
    store = Store(tmp_path, "x")

    with pytest.raises(ConfigError, match="extra="):
        store.commit(draft(extra=object()), b"s", [], parent=None)

    assert os.listdir(store.place) == ["lock"]
    store.unlock()


def test_later_fields_do_not_break_older_manifests(tmp_path):
    """A manifest of version 1 without a field that got a default later is read."""
    store = Store(tmp_path, "x", fsync=False)
    store.commit(draft(), b"s", [], parent=None)
    store.unlock()
    path = store.place / "00000001.ckpt.manifest.json"
    record = json.loads(path.read_text())
    del record["metric"], record["variables"][0]["preview"]
    record["future_note"] = "ignored"
    record["digest"] = layout.digest_of(record)
    path.write_text(json.dumps(record))

    assert store.newest().draft.metric is None
    assert bytes(store.read_best()[1].stream) == b"s"
