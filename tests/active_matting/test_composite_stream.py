"""The endless stream of composites."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from active_matting.augmentation import Camera, Composite, CompositeStream, Objects, Recipe, Scenes
from active_matting.errors import FileError, InvalidArgumentError


def put(path: Path, pixels: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(np.rint(pixels).astype(np.uint8)).save(path)


def disc(radius: float) -> NDArray[np.float64]:
    y, x = np.mgrid[:64, :64]
    return np.asarray(np.clip((radius - np.hypot(y - 32, x - 32)) / 12 + 0.5, 0, 1))


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> CompositeStream:
    """Six discs, two of them photographed, over six scenes."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for i in range(4):
        put(root / "cutouts" / f"{i}.png", 255 * np.dstack([rng.random((64, 64, 3)), disc(12 + 4 * i)]))
    for i in range(2):
        alpha = disc(20 + 4 * i)
        put(root / "pairs" / "images" / f"{i}.png", 255 * np.dstack([alpha, 0 * alpha, 1 - alpha]))
        put(root / "pairs" / "alphas" / f"{i}.png", 255 * alpha)
    for i in range(6):
        put(root / "scenes" / "below" / f"{i}.png", rng.integers(0, 256, (70, 90, 3)))
    objects = Objects((str(root / "cutouts"), str(root / "pairs")))
    return CompositeStream(objects, Scenes((str(root / "scenes"),)), size=48)


def equal(one: Composite, other: Composite) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Composite._fields)


def test_items_are_what_they_should_be(stream: CompositeStream) -> None:
    clear = replace(stream, recipe=Recipe(camera=Camera(blur=0, jpeg=0)))
    for composite in islice(clear, 12):
        alpha = composite.alpha[..., None]
        made = alpha * composite.foreground + (1 - alpha) * composite.background
        np.testing.assert_allclose(composite.image, made, atol=1e-6)
        for plane in (composite.image, composite.alpha, composite.foreground, composite.background):
            assert plane.dtype == np.float32
            assert plane.flags.c_contiguous
            assert plane.min() >= 0
            assert plane.max() <= 1
        for labels in (composite.trimap, composite.hints, composite.patches):
            assert labels.dtype == np.int8
            assert labels.shape == (48, 48)
        assert composite.alpha.max() > 0


def test_an_item_depends_on_its_index_and_the_seed_alone(stream: CompositeStream) -> None:
    items = list(islice(stream, 5))
    fresh = pickle.loads(pickle.dumps(stream))
    assert equal(fresh.item(3), items[3])
    assert not equal(fresh.item(4), items[3])
    assert not np.array_equal(replace(stream, seed=1).item(3).image, items[3].image)
    assert [item.number for item in items] == list(range(5))


def test_workers_together_make_what_one_alone_would(stream: CompositeStream) -> None:
    parts = [list(islice(stream.part(worker, 3), 2)) for worker in range(3)]
    alone = list(islice(stream, 6))
    for index, item in enumerate(alone):
        assert equal(parts[index % 3][index // 3], item)
    assert [item.number for item in islice(stream.part(1, 3).items(start=5), 3)] == [7, 10, 13]
    assert [item.number for item in islice(stream.part(1, 3).items(start=7), 2)] == [7, 10]


LOADER = """
import pickle
import sys
from itertools import islice

import numpy as np
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

class Composites(IterableDataset):  # as in the stream's docstring
    def __init__(self, stream):
        self.stream = stream

    def __iter__(self):
        info = get_worker_info()
        return iter(self.stream if info is None else self.stream.part(info.id, info.num_workers))

with open(sys.argv[1], "rb") as file:
    stream = pickle.load(file)
image = stream.item(3).image  # this process has estimated colours when it is forked, and its workers estimate others
loader = DataLoader(Composites(stream), batch_size=2, num_workers=2, multiprocessing_context="fork")
first, second = islice(loader, 2)
print(first.number.tolist(), second.number.tolist(), tuple(first.image.shape), first.trimap.dtype)
print(np.array_equal(second.image[1].numpy(), image))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_torchs_loader_takes_it_in_workers(stream: CompositeStream, tmp_path: Path) -> None:
    forgetful = replace(stream, objects=replace(stream.objects, cache_bytes=0))
    (tmp_path / "stream").write_bytes(pickle.dumps(forgetful))
    script = [sys.executable, "-c", LOADER, str(tmp_path / "stream")]
    result = subprocess.run(script, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["[0, 2] [1, 3] (2, 48, 48, 3) torch.int8", "True"]


def test_a_second_object_comes_as_often_as_the_recipe_says(stream: CompositeStream) -> None:
    areas = {}
    for second in (0.0, 1.0):
        drawn = replace(stream, recipe=Recipe(second=second))
        areas[second] = np.mean([drawn.item(i).alpha.mean() for i in range(30)])
    assert areas[1.0] > areas[0.0] + 0.05


def test_held_out_pictures_and_the_others_are_all(stream: CompositeStream) -> None:
    folders, scenes = stream.objects.folders, stream.scenes
    names = {
        held_out: {cutout.name for cutout in map(objects.__getitem__, range(len(objects)))}
        for held_out in (True, False)
        for objects in [Objects(folders[:1], held_out=held_out)]
    }
    assert names == {True: {"0"}, False: {"1", "2", "3"}}
    assert scenes is not None
    assert len(Scenes(scenes.folders, held_out=True)) == 2
    assert len(Scenes(scenes.folders, held_out=False)) == 4


def test_without_scenes_backgrounds_are_drawn(stream: CompositeStream) -> None:
    background = replace(stream, scenes=None).item(0).background
    assert background.shape == (48, 48, 3)
    assert background.dtype == np.float32
    assert background.std() > 0


def test_pictures_are_kept_as_far_as_there_is_room(stream: CompositeStream) -> None:
    assert stream.objects[0] is stream.objects[0]
    forgetful = replace(stream.objects, cache_bytes=0)
    assert forgetful[0] is not forgetful[0]
    np.testing.assert_array_equal(forgetful[0].levels[0], stream.objects[0].levels[0])


def test_objects_are_shrunk_without_spilling(tmp_path: Path) -> None:
    pixels = np.zeros((90, 90, 4))
    pixels[..., 1] = 255
    pixels[20:70, 20:70] = 255, 0, 0, 255
    put(tmp_path / "box.png", pixels)
    cutout = Objects((str(tmp_path),), longest=45)[0]
    assert max(cutout.shape) <= 45
    assert cutout.levels[0][..., 1].max() <= 2


def test_what_is_missing_is_said(stream: CompositeStream, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        Objects((str(tmp_path / "nowhere"),))
    with pytest.raises(FileError, match="no pictures"):
        Scenes((str(tmp_path),))
    put(tmp_path / "empty.png", np.zeros((20, 20, 4)))
    with pytest.raises(FileError, match="alpha is 0 everywhere"):
        CompositeStream(Objects((str(tmp_path),)), None, size=48).item(0)
    with pytest.raises(InvalidArgumentError, match="worker must be below workers"):
        stream.part(2, 2)
    with pytest.raises(InvalidArgumentError, match="second"):
        Recipe(second=2)
    with pytest.raises(InvalidArgumentError, match="index"):
        stream.item(-1)


def test_nothing_imports_torch() -> None:
    script = "import active_matting.augmentation, sys; print('torch' in sys.modules, 'pymatting' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]
