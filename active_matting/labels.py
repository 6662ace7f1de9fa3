"""What a user says, and the label map that comes of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.errors import InvalidArgumentError
from active_matting.regions import Region, check_region
from active_matting.types import Label, LabelMap, Trimap, check_alpha, check_label_map

Protocol: TypeAlias = Literal["paper", "extended"]
"""What a transition answer does: nothing ("paper"), or it is recorded in the label map ("extended")."""


@dataclass(frozen=True)
class RegionAnswer:
    """The answer to a suggested region: all of it is `label`; UNLABELLED says that no answer was given."""

    region: Region
    label: Label


@dataclass(frozen=True)
class Click:
    """A disc of `radius` pixels around `(y, x)` is `label`; the disc may be cut by the image's edge."""

    y: int
    x: int
    radius: int
    label: Label


@dataclass(frozen=True)
class Stroke:
    """A line through `points`, each `(y, x)`, drawn with a round brush of `radius` pixels, is `label`."""

    points: tuple[tuple[int, int], ...]
    radius: int
    label: Label


@dataclass(frozen=True)
class Skip:
    """The user passes over a suggested region: nothing is said about it, and no query is spent."""

    region: Region
    label: ClassVar[Label] = Label.UNLABELLED


Interaction: TypeAlias = RegionAnswer | Click | Stroke | Skip


def check_protocol(protocol: str) -> Protocol:
    """Return `protocol`. Raises `InvalidArgumentError` unless it is "paper" or "extended"."""
    for known in get_args(Protocol):
        if protocol == known:
            return known  # type: ignore[no-any-return]
    raise InvalidArgumentError(f"protocol must be one of {list(get_args(Protocol))}, got {protocol!r}")


def tells(label: Label, protocol: Protocol = "paper") -> bool:
    """Whether a region's answer changes the label map: none given does not, a transition only if "extended".

    >>> [tells(label) for label in (Label.FOREGROUND, Label.TRANSITION, Label.UNLABELLED)]
    [True, False, False]
    """
    return label != Label.UNLABELLED and (label != Label.TRANSITION or protocol == "extended")


def record(label_map: LabelMap, interaction: Interaction, protocol: Protocol = "paper") -> LabelMap:
    """A new label map, int8 `(H, W)`, with one more interaction; a newer answer overwrites an older one.

    An answer to a region that tells nothing, see `tells`, leaves the label map as it is, and so does a skip; an
    unlabelled click or stroke erases. Raises `InvalidArgumentError` for a region that is not wholly inside, a negative
    radius, or a stroke without points.
    """
    label_map = label_map.copy()
    match interaction:
        case RegionAnswer(region, label):
            check_region(region, label_map.shape)
            if tells(label, protocol):
                label_map[region.slices] = label
        case Click(y, x, radius, label):
            label_map[_draw_line(((y, x),), radius, label_map.shape)] = label
        case Stroke(points, radius, label):
            label_map[_draw_line(points, radius, label_map.shape)] = label
        case Skip(region):
            check_region(region, label_map.shape)
    return label_map


def rasterise(interactions: Iterable[Interaction], shape: tuple[int, int], protocol: Protocol = "paper") -> LabelMap:
    """The label map, int8 `shape` (H, W), that the interactions make in their order.

    >>> rasterise([Click(0, 0, 0, Label.FOREGROUND), Click(1, 1, 0, Label.BACKGROUND)], (2, 3)).tolist()
    [[1, 0, 0], [0, -1, 0]]
    """
    label_map = np.zeros(shape, dtype=np.int8)
    for interaction in interactions:
        label_map = record(label_map, interaction, protocol)
    return label_map


def to_trimap(label_map: LabelMap) -> Trimap:
    """The trimap, float32 `(H, W)`: 1 where foreground, 0 where background, 0.5 elsewhere."""
    label_map = check_label_map(label_map)
    trimap = np.full(label_map.shape, 0.5, dtype=np.float32)
    trimap[label_map == Label.FOREGROUND] = 1
    trimap[label_map == Label.BACKGROUND] = 0
    return trimap


def from_trimap(trimap: Trimap) -> LabelMap:
    """The label map of a trimap: foreground where it is 1, background where 0, unlabelled in between."""
    trimap = check_alpha(trimap, name="trimap")
    label_map = np.zeros(trimap.shape, dtype=np.int8)
    label_map[trimap == 1] = Label.FOREGROUND
    label_map[trimap == 0] = Label.BACKGROUND
    return label_map


def interaction_to_json(interaction: Interaction) -> dict[str, Any]:
    """A JSON-able dictionary that `interaction_from_json` turns back into an equal interaction."""
    label = interaction.label.name.lower()
    match interaction:
        case RegionAnswer(region):
            return {"kind": "region", "centre": [region.y, region.x], "side": region.side, "label": label}
        case Click(y, x, radius):
            return {"kind": "click", "centre": [y, x], "radius": radius, "label": label}
        case Stroke(points, radius):
            return {"kind": "stroke", "points": [list(p) for p in points], "radius": radius, "label": label}
        case Skip(region):
            return {"kind": "skip", "centre": [region.y, region.x], "side": region.side}


def interaction_from_json(entry: dict[str, Any]) -> Interaction:
    """The interaction of a dictionary made by `interaction_to_json`. Raises `InvalidArgumentError`."""
    try:
        if entry["kind"] == "skip":
            y, x = (int(place) for place in entry["centre"])
            return Skip(Region(y, x, int(entry["side"])))
        label = Label[entry["label"].upper()]
        if entry["kind"] == "stroke":
            return Stroke(tuple((int(y), int(x)) for y, x in entry["points"]), int(entry["radius"]), label)
        y, x = (int(place) for place in entry["centre"])
        if entry["kind"] == "region":
            return RegionAnswer(Region(y, x, int(entry["side"])), label)
        if entry["kind"] == "click":
            return Click(y, x, int(entry["radius"]), label)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidArgumentError(f"not an interaction: {entry!r} ({error})") from error
    raise InvalidArgumentError(f"unknown kind of interaction {entry['kind']!r}; allowed: region, click, stroke, skip")


def _draw_line(points: tuple[tuple[int, int], ...], radius: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mask, bool `shape`, of all pixels within `radius` of the line, one pixel wide, through `points`."""
    if not 0 <= radius <= sum(shape):
        raise InvalidArgumentError(f"radius must be from 0 to {sum(shape)} pixels, got {radius}")
    if not points:
        raise InvalidArgumentError("a stroke must have at least one point, got none")
    # A margin, since a line just outside the image still reaches into it.
    margin = radius + 1
    drawn = np.zeros((shape[0] + 2 * margin, shape[1] + 2 * margin), dtype=np.uint8)
    ends = points if len(points) > 1 else points * 2  # OpenCV 5 draws nothing for a lone point
    line = np.array([(x + margin, y + margin) for y, x in ends], dtype=np.int32)  # OpenCV's order
    cv2.polylines(drawn, [line], isClosed=False, color=1)
    # Grow by distance rather than by line thickness, whose half widths OpenCV rounds.
    distance = cv2.distanceTransform(1 - drawn, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance[margin:-margin, margin:-margin] <= radius)
