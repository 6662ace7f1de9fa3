"""The greedy ideal sequence of an image, kept in a cache while it is found."""

import numpy as np

from active_matting.annotators import ExactAnnotator
from active_matting.cache import Cache, hash_of_arrays, make_key
from active_matting.envs.regions import RegionsEnv
from active_matting.kept import made_by
from active_matting.labels import RegionAnswer
from active_matting.regions import Region
from active_matting.session import QuerySession

KIND = "ideal-sequence"


class KeptSequence:
    """The ideal sequence of the episode that `env` is in, as far as `cache` knows it; it is a list of regions.

    Its key is the content of image and alpha, the solver with its parameters (and the files these name), the package's
    version and code, the regions' side, the stride and the protocol. The budget is not: shorter episodes begin as
    longer ones do. A sequence holds for an episode only as long as all that was said is what it says; where the user
    erred or someone else asked, nothing is known and nothing is kept.
    """

    def __init__(self, cache: Cache, env: RegionsEnv, stride: int | None) -> None:
        self.session: QuerySession = env.session
        self._truth = env.sample.alpha
        self._cache = cache
        self._key = make_key(
            content=hash_of_arrays(self.session.image, self._truth),
            **made_by(env.solver, env.settings.solver, env.settings.solver_kwargs, "annotators", "agents/baselines.py"),
            region_size=self.session.region_size,
            stride=stride or self.session.region_size,
            protocol=self.session.protocol,
        )
        self._regions = self._read()

    def next(self) -> Region | None:
        """Where to ask now; None where that is not known."""
        asked = len(self.session.interactions)
        return self._regions[asked] if asked < len(self._regions) and self._is_followed() else None

    def add(self, region: Region) -> None:
        """Keep `region` as the next one."""
        if len(self.session.interactions) != len(self._regions) or not self._is_followed():
            return
        self._regions = [*self._regions, region]
        stored = self._read()  # by another process, meanwhile
        if len(stored) >= len(self._regions):
            self._regions = stored
            return
        centres = np.array([(each.y, each.x) for each in self._regions], dtype=np.int32)
        self._cache.put(KIND, self._key, {"centres": centres})

    def _read(self) -> list[Region]:
        known = self._cache.get(KIND, self._key)
        centres = [] if known is None else known["centres"].tolist()
        return [Region(y, x, self.session.region_size) for y, x in centres]

    def _is_followed(self) -> bool:
        """Whether the sequence's regions, answered as they truly are, are what was said so far."""
        asked = len(self.session.interactions)
        exact = ExactAnnotator(self._truth)
        answers = [RegionAnswer(region, exact.answer(region)) for region in self._regions[:asked]]
        return answers == list(self.session.interactions)
