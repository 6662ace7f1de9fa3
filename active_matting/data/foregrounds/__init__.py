"""Procedural foregrounds with exact alpha, by family: discs, hair, leaves, net, smoke, glass.

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
from active_matting.data.foregrounds.glass import glass
from active_matting.data.foregrounds.hair import hair
from active_matting.data.foregrounds.leaves import leaves
from active_matting.data.foregrounds.net import net
from active_matting.data.foregrounds.smoke import smoke

Family: TypeAlias = Callable[[int, np.random.Generator, Palette, Placement], Layer]

FAMILIES: dict[str, Family] = {
    "discs": discs,
    "hair": hair,
    "leaves": leaves,
    "net": net,
    "smoke": smoke,
    "glass": glass,
}
