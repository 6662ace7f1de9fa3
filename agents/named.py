"""What is measured, by names and JSON-able arguments, so that it can be sent to processes and written into keys."""

from dataclasses import dataclass, field
from typing import Any

from active_matting.errors import InvalidArgumentError


@dataclass(frozen=True)
class NamedAgent:
    """An agent by what `active_matting.agents.make_agent` takes, and what tables call it.

    label: several agents of one label are runs of the same, such as trainings with different seeds; figures are
    averaged over them, image by image. name: a name, with parameters perhaps, or a folder of weights. at: None; or the
    budget of an agent that chooses all of its regions at once, whose matte after that many alone counts.
    """

    label: str
    name: str
    at: int | None = None

    def __post_init__(self) -> None:
        if self.at is not None and self.at < 1:
            raise InvalidArgumentError(f"an agent is measured at a query of at least 1, got {self.at}")


@dataclass(frozen=True)
class NamedData:
    """A data set by what `active_matting.data.make_data` takes, and what tables call it."""

    label: str
    data: str = "rendered"
    data_kwargs: dict[str, Any] = field(default_factory=dict)
