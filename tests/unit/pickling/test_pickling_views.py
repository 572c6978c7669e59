"""Arrays, views of them, memoryviews and frames."""

# ruff: noqa: PD011 - these `values` are no data frame's

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from there_and_back import fresh

from resume.pickling import can_anchor, decode, encode

SMALL, LARGE = 4, 300


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("width", [SMALL, LARGE])
def test_views_have_their_base_again(width, anchored):
    """At the first restore and at the next one, which has the memory of the first."""
    grid = np.arange(40.0 * width).reshape(40, width).copy()
    roots = {"column": grid[:, 3], "inside": grid[1:-1, ::-2], "grid": grid, "turned": grid.T}

    for _ in range(3):
        encoded = encode(roots, anchors=roots if anchored else {})
        roots = decode(encoded.stream, fresh(encoded)).values

        assert all(roots[name].base is roots["grid"] for name in ("column", "inside", "turned"))
        assert roots["grid"][:, 1].base is roots["grid"]
        assert [40 * width * 8] * (width == LARGE) == [b.view.nbytes for b in encoded.buffers]
        assert np.array_equal(grid[1:-1, ::-2], roots["inside"])
        roots["column"][:] = grid[:, 3] = grid[:, 3] + 1
        assert np.array_equal(grid, roots["grid"])


@pytest.mark.parametrize("width", [SMALL, LARGE])
def test_layout_and_flags_come_back(again, width):
    cube = np.arange(3.0 * 40 * width).reshape(3, 40, width)
    locked = cube.copy()
    open_view = locked[1]
    locked.setflags(write=False)
    roots = {
        "fortran": np.asfortranarray(cube),
        "turned": cube.transpose(1, 2, 0).copy(order="K"),
        "locked": locked,
        "open view": open_view,
        "broadcast": np.broadcast_to(cube[0, 0], (5, width)),
        "windows": np.lib.stride_tricks.sliding_window_view(cube[0, 0], 2),
        "scalar": np.array(3.5),
        "empty": np.zeros((0, 3)),
        "times": np.array(["2020-01-01"] * width, dtype="M8[s]")[1:],
        "text": np.array(["a", "bb"]),
        "records": np.zeros(width, dtype=[("a", "<i4"), ("b", "<f8")])["b"],
        "big endian": np.arange(width, dtype=">i2"),
    }

    values = again(**roots)

    for name, array in roots.items():
        made = values[name]
        assert array.dtype == made.dtype, name
        assert array.flags.writeable == made.flags.writeable, name
        assert array.size == 0 or array.strides == made.strides, name
        assert np.array_equal(array, made), name
    assert np.shares_memory(values["locked"], values["open view"])
    values["locked"].setflags(write=True)  # its owner may


@pytest.mark.untraced
def test_small_arrays_own_their_memory(again):
    made = again(a=np.arange(5))["a"]

    made.resize(7)

    assert [0, 1, 2, 3, 4, 0, 0] == made.tolist()


def test_arrays_of_objects_and_their_views(again):
    """A view that is met inside its own base is a view of it, not of memory that is gone."""
    base = np.array([1, [2], None], dtype=object)
    inner = [base[1:]]
    base[2] = inner
    records = np.zeros(3, dtype=[("a", "<i4"), ("o", "O")])

    values = again(inner=inner, base=base, records=records, field=records["o"], last=records[1:])

    made = values["base"]
    assert values["inner"][0].base is not None
    assert np.shares_memory(made, values["inner"][0])
    assert values["inner"][0][1] is values["inner"]
    values["field"][2] = "x"
    assert "x" == values["records"][2]["o"] == values["last"][1]["o"]


@pytest.mark.parametrize("anchored", [False, True])
def test_windows_onto_bytes(anchored):
    room = bytearray(range(48)) * 2_000
    roots = {
        "part": memoryview(room)[10:20],
        "steps": memoryview(room)[10:50:3],
        "back": memoryview(room).cast("i")[5:2:-1],
        "table": memoryview(room).cast("i", [4, 6_000]),
        "locked": memoryview(room).toreadonly(),
        "room": room,
        "array": np.frombuffer(room, "<i4")[2:5],
        "of array": memoryview(np.arange(6).reshape(2, 3)),
    }
    keep = {name: thing for name, thing in roots.items() if can_anchor(thing)} if anchored else {}
    encoded = encode(roots, anchors=keep)

    values = decode(encoded.stream, fresh(encoded)).values

    for name in ("part", "steps", "back", "table", "locked", "of array"):
        old, new = roots[name], values[name]
        assert (old.format, old.shape, old.readonly) == (new.format, new.shape, new.readonly), name
        assert old == new, name
    values["room"][10] = 99
    assert 99 == values["part"][0] == values["steps"][0] == values["locked"][10]
    assert 99 == values["array"].tobytes()[2]


def test_frames_keep_their_values_and_stay_apart(again):
    """Frames that share memory only until one is written are still independent."""
    frame = pd.DataFrame({"a": range(20_000), "b": 0.5, "c": ["x"] * 20_000})
    renamed, column = frame.rename(columns={"a": "z"}), frame["b"]

    values = again(frame=frame, renamed=renamed, column=column, all=[frame])

    made = values["frame"]
    assert made is values["all"][0]
    assert frame.equals(made)
    made.loc[0, "a"] = 77
    values["column"].iloc[1] = 99
    assert (0, 0.5) == (values["renamed"].loc[0, "z"], made.loc[1, "b"])
