"""All that decides the training of an agent but its seed, read from a TOML file; see `recipes/README.md`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from active_matting.agents.networks import PolicyConfig
from active_matting.agents.schedules import Geometric
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.training.tables import check_keys, document_names, read_document, read_section

RECIPES = "active_matting.agents.recipes"
"""The folder of those that come with the package."""


@dataclass(frozen=True)
class AlgorithmSettings:
    """Keywords of `Reinforce`; pairs are what a schedule begins and ends with. The defaults are the paper's.

    Where it names none they are this package's. `baseline_speed` is the policy's.
    """

    learning_rate: tuple[float, float] = (1e-3, 1e-4)
    deviation: tuple[float, float] = (0.3, 0.1)
    gamma: float = 0.0
    ent_coef: float = 0.0
    vf_coef: float = 1.0
    max_grad_norm: float = 1.0
    episodes_per_image: int = 1
    learns_from_skips: bool = False
    baseline_speed: float = 1.0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "deviation"):
            if min(getattr(self, name)) <= 0:
                raise InvalidArgumentError(f"{name} must be positive, got {getattr(self, name)}")

    def keywords(self) -> dict[str, Any]:
        """What `Reinforce` takes, but for the policy's."""
        plain = {name: value for name, value in asdict(self).items() if name != "baseline_speed"}
        return plain | {"learning_rate": Geometric(*self.learning_rate), "deviation": Geometric(*self.deviation)}


@dataclass(frozen=True)
class TrainingSettings:
    """How much is learned: `updates` of `environments` episodes each; before that, `warm_start` updates.

    start: a folder of weights to begin with, of the same networks, as to fine-tune; "" for freshly drawn ones. A
    checkpoint is written every `checkpoint_minutes`; how often changes nothing else. Raises `InvalidArgumentError`.
    """

    updates: int
    environments: int = 8
    warm_start: int = 0
    start: str = ""
    checkpoint_minutes: float = 1.0

    def __post_init__(self) -> None:
        for name in ("updates", "environments"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {getattr(self, name)}")
        if min(self.warm_start, self.checkpoint_minutes) < 0:
            raise InvalidArgumentError(
                f"warm_start and checkpoint_minutes must not be negative, got {self.warm_start} and "
                f"{self.checkpoint_minutes}"
            )


@dataclass(frozen=True)
class Recipe:
    """A training. `environment`: keywords of `ActiveMatting/Regions-v0`. Raises `InvalidArgumentError`."""

    training: TrainingSettings
    environment: dict[str, Any] = field(default_factory=dict)
    network: PolicyConfig = field(default_factory=PolicyConfig)
    algorithm: AlgorithmSettings = field(default_factory=AlgorithmSettings)

    def __post_init__(self) -> None:
        episodes, each = self.training.environments, self.algorithm.episodes_per_image
        if each < 1 or episodes % each:
            raise InvalidArgumentError(f"episodes_per_image must divide environments, {episodes}, got {each}")

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> "Recipe":
        """The recipe of a TOML or JSON document. Raises `InvalidArgumentError`, naming the key."""
        check_keys(cls, table, "the recipe")
        for key, content in table.items():
            if not isinstance(content, Mapping):
                raise InvalidArgumentError(f"{key} must be a table, got {content!r}")
        sections = {"training": TrainingSettings, "network": PolicyConfig, "algorithm": AlgorithmSettings}
        read: dict[str, Any] = {
            key: read_section(kind, table[key], key) for key, kind in sections.items() if key in table
        }
        return cls(environment=dict(table.get("environment", {})), **read)

    def as_table(self) -> dict[str, Any]:
        """What `from_table` takes, with all defaults, as JSON gives it back: lists, no tuples."""
        return cast(dict[str, Any], json.loads(json.dumps(asdict(self))))

    def with_changes(
        self,
        *,
        updates: int | None = None,
        environments: int | None = None,
        start: str | None = None,
        data: str | None = None,
        solver: str | None = None,
        solver_kwargs: dict[str, Any] | None = None,
    ) -> "Recipe":
        """This recipe with what is given instead of its own. `data`: a folder of images. Raises `FileError`."""
        environment = dict(self.environment)
        if data is not None:
            if not Path(data).is_dir():
                raise FileError(f"{data} is not a folder of images")
            environment |= {"data": "folder", "data_kwargs": {"path": data}}
        if solver is not None:
            environment |= {"solver": solver, "solver_kwargs": {}}
        if solver_kwargs:
            environment["solver_kwargs"] = solver_kwargs
        given: dict[str, Any] = {"updates": updates, "environments": environments, "start": start}
        changes = {name: value for name, value in given.items() if value is not None}
        return replace(self, environment=environment, training=replace(self.training, **changes))


def recipe_names() -> list[str]:
    """The recipes that come with the package."""
    return document_names(RECIPES)


def load_recipe(name: str | Path) -> Recipe:
    """The recipe of this name, or of this TOML file. Raises `UnknownNameError`, `FileError`, `InvalidArgumentError`."""
    return read_document(RECIPES, name, Recipe.from_table)
