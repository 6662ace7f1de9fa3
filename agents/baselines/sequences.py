"""The greedy ideal sequence of an image, kept in a cache while it is found."""

import numpy as np

from active_matting.agents.baselines.search import Drops
from active_matting.agents.baselines.truth import Truth
from active_matting.annotators import ExactAnnotator
from active_matting.cache import Cache, hash_of_arrays, make_key
from active_matting.kept import made_by
from active_matting.labels import RegionAnswer
from active_matting.regions import Region
from active_matting.session import QuerySession

KIND = "ideal-sequence"


class KeptSequence:
    """The ideal sequence of an episode, as far as `cache` knows it: regions, and the drops known after the last.

    Its key is the content of image and alpha, the solver with its parameters (and the files these name), the package's
    version and code, the regions' side, the stride, the patience of a lazy search, and the protocol. The budget is not:
    shorter episodes begin as longer ones do. A sequence holds for an episode only as long as all that was said is what
    it says; where the user erred or someone else asked, nothing is known and nothing is kept.
    """

    def __init__(self, cache: Cache, truth: Truth, stride: int | None, patience: int | None) -> None:
        self.session: QuerySession = truth.session
        self._truth = truth.alpha
        self._cache = cache
        settings = truth.settings
        self._key = make_key(
            content=hash_of_arrays(self.session.image, self._truth),
            **made_by(truth.solver, settings.solver, settings.solver_kwargs, "annotators", *_CODE),
            region_size=self.session.region_size,
            stride=stride or self.session.region_size,
            patience=patience,
            protocol=self.session.protocol,
        )
        self._regions, self._drops = self._read()

    def next(self) -> tuple[Region, Drops | None] | None:
        """Where to ask now, and, if that is the last known, what a search that goes on needs; None where unknown."""
        asked = len(self.session.interactions)
        if asked >= len(self._regions) or not self._is_followed():
            return None
        return self._regions[asked], self._drops if asked == len(self._regions) - 1 else None

    def add(self, region: Region, drops: Drops) -> None:
        """Keep `region` as the next one, and the drops known when it was chosen."""
        if len(self.session.interactions) != len(self._regions) or not self._is_followed():
            return
        regions = [*self._regions, region]
        self._regions, self._drops = self._read()  # by another process, meanwhile
        if len(self._regions) >= len(regions):
            return
        self._regions, self._drops = regions, drops
        centres = np.array([(each.y, each.x) for each in regions], dtype=np.int32)
        self._cache.put(KIND, self._key, {"centres": centres, "drops": drops})

    def _read(self) -> tuple[list[Region], Drops]:
        known = self._cache.get(KIND, self._key)
        if known is None:
            return [], np.empty(0)
        return [Region(y, x, self.session.region_size) for y, x in known["centres"].tolist()], known["drops"]

    def _is_followed(self) -> bool:
        """Whether the sequence's regions, answered as they truly are, are what was said so far."""
        asked = len(self.session.interactions)
        exact = ExactAnnotator(self._truth)
        answers = [RegionAnswer(region, exact.answer(region)) for region in self._regions[:asked]]
        return answers == list(self.session.interactions)


_CODE = tuple(f"agents/baselines/{name}.py" for name in ("greedy", "search", "sequences"))
