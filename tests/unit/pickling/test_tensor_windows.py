"""Tensors that show a part of their memory: none of them may stand for all of it."""

from __future__ import annotations

import pytest

from resume.errors import RestoreError
from resume.pickling import decode, encode

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


def brought_back(roots, live=None):
    encoded = encode(roots, anchors=roots)
    assert encoded.skipped == ()
    buffers = [memoryview(bytearray(buffer.view)) for buffer in encoded.buffers]
    return decode(encoded.stream, buffers, live=live or {}).values


def test_iterator_over_pieces_goes_on_with_the_right_items():
    pieces = iter(torch.arange(1797).split(128))
    rows = next(pieces)

    back = brought_back({"rows": rows, "pieces": pieces})

    assert back["rows"].tolist() == list(range(128))
    assert torch.cat([back["rows"], *back["pieces"]]).tolist() == list(range(1797))


@pytest.mark.parametrize(
    "window",
    [
        lambda whole: whole[1:],
        lambda whole: whole[:, 1],
        lambda whole: whole.t(),
        lambda whole: whole.flatten(),
        lambda whole: whole[::2],
        lambda whole: whole[0].expand(4, 4),
    ],
    ids=["tail", "column", "turned", "flat", "stepped", "expanded"],
)
@pytest.mark.parametrize("window_first", [True, False])
def test_window_and_whole_share_their_memory_again(window, window_first):
    whole = torch.arange(16.0).reshape(4, 4).clone()
    pair = {"window": window(whole), "whole": whole}
    roots = dict(reversed(pair.items())) if not window_first else pair
    expected = pair["window"].clone()

    back = brought_back(roots)
    assert torch.equal(expected, back["window"])
    back["whole"] += 100

    assert torch.equal(expected + 100, back["window"])


def test_a_living_part_is_no_place_for_a_whole():
    whole = torch.arange(4.0)
    living = torch.zeros(8)[4:]

    back = brought_back({"whole": whole, "turned": whole.flip(0)}, live={"whole": living})

    assert back["whole"].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_memory_that_is_too_short_is_an_error_and_never_grows():
    from resume.pickling import tensors

    held = torch.zeros(4).untyped_storage()

    with pytest.raises((ValueError, RestoreError), match="beyond its memory"):
        tensors.tensor(held, (torch.float32, (8,), (1,), 0), False, False)
    assert held.nbytes() == 16
