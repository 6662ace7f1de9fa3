"""All that decides a training run, read from a TOML file; `recipes/README.md` explains every key."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_type_hints

from active_matting.errors import InvalidArgumentError
from active_matting.training.averaging import AveragingSettings
from active_matting.training.optimiser import OptimiserSettings
from active_matting.training.schedule import Schedule
from active_matting.training.tables import check_keys, document_names, read_document, read_section

RECIPES = "active_matting.training.recipes"
"""The folder of those that come with the package."""


@dataclass(frozen=True)
class Made:
    """Something that a registry makes: its name there and its keywords."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ValidationSettings:
    """When the averaged weights are measured: after `every` batches and at the end, or after `minutes`; 0 is never.

    What is looked at is the mean of the "error" of `tasks`, by default of all. After `patience` measures in a row that
    bring no gain training ends; 0 is never. With `minutes` the run depends on the machine's speed, and two are no
    longer alike. Raises `InvalidArgumentError`.
    """

    every: int = 0
    minutes: float = 0.0
    tasks: tuple[str, ...] = ()
    patience: int = 0

    def __post_init__(self) -> None:
        for name in ("every", "minutes", "patience"):
            if getattr(self, name) < 0:
                raise InvalidArgumentError(f"{name} must not be negative, got {getattr(self, name)}")

    @property
    def is_on(self) -> bool:
        """Whether there is any."""
        return self.every > 0 or self.minutes > 0


@dataclass(frozen=True)
class RunningSettings:
    """What changes how a run goes, not what it learns, but for `precision`.

    "bfloat16" is autocast's mixed precision, for CUDA and for processors that have instructions for it (AVX-512 BF16);
    others emulate it, twenty times slower than "float32". "auto" takes it where the device has it.
    `workers` processes load batches, 0: the training's own. A checkpoint is written every `checkpoint_minutes`, a line
    of the log every `log_every` batches. Raises `InvalidArgumentError`.
    """

    workers: int = 0
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    channels_last: bool = False
    checkpoint_minutes: float = 5.0
    log_every: int = 20

    def __post_init__(self) -> None:
        if self.workers < 0 or self.checkpoint_minutes < 0:
            raise InvalidArgumentError(
                f"workers and checkpoint_minutes must not be negative, got {self.workers}, {self.checkpoint_minutes}"
            )
        if self.log_every < 1:
            raise InvalidArgumentError(f"log_every must be at least 1, got {self.log_every}")


@dataclass(frozen=True)
class Recipe:
    """A training run but for its seed and its data's place. Raises `InvalidArgumentError`."""

    network: Made
    tasks: dict[str, Made]
    schedule: Schedule
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    averaging: AveragingSettings = field(default_factory=AveragingSettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)
    running: RunningSettings = field(default_factory=RunningSettings)

    def __post_init__(self) -> None:
        for where, names in (("turns", [name for name, _ in self.schedule.turns]), ("tasks", self.validation.tasks)):
            for name in names:
                if name not in self.tasks:
                    raise InvalidArgumentError(f"{where} names the task {name!r}; there are {list(self.tasks)}")

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> "Recipe":
        """The recipe of a TOML or JSON document. Raises `InvalidArgumentError`, naming the key."""
        check_keys(cls, table, "the recipe")
        values: dict[str, Any] = {}
        for key, content in table.items():
            if not isinstance(content, Mapping):
                raise InvalidArgumentError(f"{key} must be a table, got {content!r}")
            if key == "network":
                values[key] = _made(content, "name", key)
            elif key == "tasks":
                values[key] = {name: _made(task, "kind", f"tasks.{name}") for name, task in content.items()}
            else:
                values[key] = read_section(get_type_hints(cls)[key], content, key)
        return cls(**values)

    def as_table(self) -> dict[str, Any]:
        """What `from_table` takes, with all defaults, as JSON gives it back: lists, no tuples."""
        table = asdict(self) | {
            "network": {"name": self.network.name, **self.network.options},
            "tasks": {name: {"kind": task.name, **task.options} for name, task in self.tasks.items()},
        }
        return cast(dict[str, Any], json.loads(json.dumps(table)))


def recipe_names() -> list[str]:
    """The recipes that come with the package."""
    return document_names(RECIPES)


def load_recipe(name: str | Path) -> Recipe:
    """The recipe of this name, or of this TOML file. Raises `UnknownNameError`, `FileError`, `InvalidArgumentError`."""
    return read_document(RECIPES, name, Recipe.from_table)


def _made(table: Any, key: str, where: str) -> Made:
    if not isinstance(table, Mapping) or not isinstance(table.get(key), str):
        raise InvalidArgumentError(f"{where} must be a table with a text {key!r}, got {table!r}")
    return Made(table[key], {name: value for name, value in table.items() if name != key})
