"""Pictures of a query loop in progress."""

import numpy as np
import pytest

from active_matting.envs.rendering import COLOUR_OF_LABEL, draw_regions
from active_matting.labels import RegionAnswer
from active_matting.regions import Region
from active_matting.types import Label


@pytest.mark.parametrize("label", list(Label))
def test_a_region_is_outlined_in_the_colour_of_its_answer_whatever_it_is(label: Label) -> None:
    picture = draw_regions(np.zeros((10, 10, 3), dtype=np.float32), [RegionAnswer(Region(5, 5, 6), label)])
    assert tuple(picture[2, 2]) == COLOUR_OF_LABEL[label]
    assert not picture[5, 5].any()
    assert len(set(COLOUR_OF_LABEL.values())) == len(Label)
