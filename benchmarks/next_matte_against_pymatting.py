"""How much sooner closed-form matting answers one more region than pymatting does from scratch, and many candidates.

    python benchmarks/next_matte_against_pymatting.py [side]

Prints processor seconds, all threads together, on a rendered image of `side` (400) pixels, and ratios. Without what
kernels take to compile: everything is called once before.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from pymatting import estimate_alpha_cf

from active_matting import make_solver
from active_matting.data.rendered import Rendered
from active_matting.labels import to_trimap
from active_matting.regions import place_region
from active_matting.types import Image, LabelMap


def main(side: int) -> None:
    sample = Rendered(size=side)[1]
    maps = pure_regions(sample.alpha, 12, side // 20)
    image = sample.image.astype(np.float64)
    warm_up(sample.image[:40, :40].copy())

    prepared, preparing = timed(lambda: make_solver("closed-form").prepare(sample.image))
    _, first = timed(lambda: prepared.solve(maps[1]))
    next_ones = [timed(lambda labels=labels: prepared.solve(labels))[1] for labels in maps[2:]]
    following = float(np.median(next_ones))
    expected, scratch = timed(lambda: estimate_alpha_cf(image, to_trimap(maps[-1]).astype(np.float64)))
    difference = float(np.abs(prepared.solve(maps[-1]).alpha - expected).max())
    print(f"prepare {preparing:.3f} s, first matte {first:.3f} s, one more region {following:.4f} s")
    print(
        f"pymatting from scratch {scratch:.2f} s: {scratch / following:.0f} times as long, differs by {difference:.1g}"
    )

    candidates = np.stack([with_region(maps[3], sample.alpha, k, side // 20) for k in range(32)])
    _, singly = timed(lambda: [prepared.solve(labels) for labels in candidates])
    _, together = timed(lambda: prepared.solve_many(candidates))
    print(f"32 candidates {together:.2f} s, one by one {singly:.2f} s: {singly / together:.1f} times as long")


def warm_up(image: Image) -> None:
    """Have all kernels compiled."""
    label_map = np.zeros(image.shape[:2], dtype=np.int8)
    label_map[0], label_map[-1] = 1, -1
    estimate_alpha_cf(image.astype(np.float64), to_trimap(label_map).astype(np.float64))
    make_solver("closed-form").prepare(image).solve_many(np.stack([label_map] * 3))


def pure_regions(alpha: Any, count: int, side: int) -> list[LabelMap]:
    """Label maps with 1, 2, ... regions, foreground and background in turn."""
    rng = np.random.default_rng(0)
    label_map = np.zeros(alpha.shape, dtype=np.int8)
    maps: list[LabelMap] = []
    while len(maps) < count:
        region = place_region(int(rng.integers(alpha.shape[0])), int(rng.integers(alpha.shape[1])), side, alpha.shape)
        truth = alpha[region.slices]
        label = 1 if len(maps) % 2 == 0 else -1
        if (truth >= 0.98).all() if label == 1 else (truth <= 0.02).all():
            label_map[region.slices] = label
            maps.append(label_map.copy())
    return maps


def with_region(label_map: LabelMap, alpha: Any, k: int, side: int) -> LabelMap:
    """The k-th of 32 candidates: one more region, labelled as most of it is."""
    h, w = alpha.shape
    region = place_region((k // 8) * h // 4 + h // 8, (k % 8) * w // 8 + w // 16, side, (h, w))
    result = label_map.copy()
    result[region.slices] = 1 if alpha[region.slices].mean() > 0.5 else -1
    return result


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What `work` returns, and the processor time it took, in seconds."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
