"""Procedural foregrounds with exact alpha, by family.

A family draws in object coordinates `(y, x)`, y downwards, in which the object roughly fills the circle of radius 1
about the origin and holds something solid; a `Placement` carries them to unit coordinates of the frame. To add a
family, write one function in a file of this folder and give it a line in `FAMILIES`.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from active_matting.data.backgrounds import Palette
from active_matting.data.drawing import Layer, Placement
from active_matting.data.foregrounds.discs import discs
from active_matting.data.foregrounds.feathers import feathers
from active_matting.data.foregrounds.fur import fur
from active_matting.data.foregrounds.glass import glass
from active_matting.data.foregrounds.hair import hair
from active_matting.data.foregrounds.holes import holes
from active_matting.data.foregrounds.leaves import leaves
from active_matting.data.foregrounds.motion import motion
from active_matting.data.foregrounds.net import net
from active_matting.data.foregrounds.several import several
from active_matting.data.foregrounds.smoke import smoke
from active_matting.data.foregrounds.spokes import spokes
from active_matting.data.foregrounds.veil import veil

Family: TypeAlias = Callable[[int, np.random.Generator, Palette, Placement], Layer]

CLASSIC: dict[str, Family] = {
    "discs": discs,
    "hair": hair,
    "leaves": leaves,
    "net": net,
    "smoke": smoke,
    "glass": glass,
}
"""The families of the embedded set; published results and weights rest on them and on their order."""

FAMILIES: dict[str, Family] = {
    **CLASSIC,
    "fur": fur,
    "feathers": feathers,
    "spokes": spokes,
    "veil": veil,
    "holes": holes,
    "motion": motion,
    "several": several,
}
"""All of them."""
