"""Samples as arrays on disk."""

from pathlib import Path

import numpy as np
import pytest

from active_matting.data.packed import NAMES, Packed, pack
from active_matting.data.rendered import Rendered
from active_matting.errors import FileError


def test_packed_samples_are_the_resized_ones_exactly(tmp_path: Path) -> None:
    source = Rendered(split="validation", count=3, size=40)
    pack(source, 30, tmp_path)
    packed = Packed(str(tmp_path))
    assert len(packed) == 3
    for before, after in zip(source, packed, strict=True):
        assert after.name == before.name
        np.testing.assert_array_equal(after.image, before.resized(30).image)
        np.testing.assert_array_equal(after.alpha, before.resized(30).alpha)
    packed[0].image[:] = 0  # a copy: what lies on disk stays
    assert packed[0].image.any()
    with pytest.raises(IndexError, match="index must be from 0 to 2, got 3"):
        packed[3]


def test_a_folder_that_holds_no_packed_samples_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read"):
        Packed(str(tmp_path))
    pack(Rendered(count=2, size=20), 20, tmp_path)
    (tmp_path / NAMES).write_text('["one"]')
    with pytest.raises(FileError, match="2 images, 2 alphas and 1 names"):
        Packed(str(tmp_path))
    (tmp_path / "images.npy").write_bytes(b"nothing of the kind")
    with pytest.raises(FileError, match="does not hold packed samples"):
        Packed(str(tmp_path))
