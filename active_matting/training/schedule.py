"""Who teaches when, and at what learning rate: pure functions of the number of batches done."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from active_matting.errors import InvalidArgumentError


class Lesson(NamedTuple):
    """One batch of a run: its epoch, whose it is, and which of that task's batches it is; counted from 0."""

    epoch: int
    task: str
    number: int


@dataclass(frozen=True)
class Schedule:
    """Epochs in which tasks take turns (thesis sec. 5.2.2: 200 batches of one, 200 of the next, …), and learning rates.

    `turns` are (task, batches) in order; a task may have several. `rule`: the learning rate is "constant"; or goes down
    in "steps", by `factor` at the start of each epoch in `steps`; or follows half a "cosine" down to `final` times its
    value. Whatever the rule, it rises linearly over the first `warm_up` batches. Raises `InvalidArgumentError`.

    >>> schedule = Schedule(turns=(("clicks", 2), ("trimaps", 1)), epochs=3)
    >>> schedule.batches
    9
    >>> schedule.lesson(7)
    Lesson(epoch=2, task='clicks', number=5)
    """

    turns: tuple[tuple[str, int], ...]
    epochs: int
    rule: Literal["constant", "steps", "cosine"] = "constant"
    warm_up: int = 0
    steps: tuple[int, ...] = ()
    factor: float = 0.1
    final: float = 0.0

    def __post_init__(self) -> None:
        if not self.turns or min(count for _, count in self.turns) < 1:
            raise InvalidArgumentError(f"turns must be (task, batches) with at least 1 batch each, got {self.turns}")
        if self.epochs < 1:
            raise InvalidArgumentError(f"epochs must be at least 1, got {self.epochs}")
        if not 0 <= self.warm_up <= self.batches:
            raise InvalidArgumentError(f"warm_up must be from 0 to all {self.batches} batches, got {self.warm_up}")
        if bool(self.steps) != (self.rule == "steps") or list(self.steps) != sorted(set(self.steps)):
            raise InvalidArgumentError(f"steps must be rising epochs, with the rule 'steps' alone, got {self.steps}")
        if self.factor <= 0:
            raise InvalidArgumentError(f"factor must be positive, got {self.factor}")
        if not 0 <= self.final <= 1:
            raise InvalidArgumentError(f"final must be from 0 to 1, got {self.final}")

    @property
    def per_epoch(self) -> int:
        """Batches of an epoch."""
        return sum(count for _, count in self.turns)

    @property
    def batches(self) -> int:
        """Batches of the run."""
        return self.epochs * self.per_epoch

    def lesson(self, batch: int) -> Lesson:
        """What batch `batch` of the run is, from 0 on."""
        epoch, within = divmod(batch, self.per_epoch)
        before: dict[str, int] = {}
        for task, count in self.turns:
            if within < count:
                of_an_epoch = sum(number for name, number in self.turns if name == task)
                return Lesson(epoch, task, epoch * of_an_epoch + before.get(task, 0) + within)
            within -= count
            before[task] = before.get(task, 0) + count
        raise AssertionError("an epoch ended before its last batch")

    def speed(self, batch: int) -> float:
        """What the learning rate is multiplied by at batch `batch`, from 0 on."""
        rise = min(1.0, (batch + 1) / self.warm_up) if self.warm_up else 1.0
        if self.rule == "steps":
            return rise * self.factor ** sum(epoch <= batch // self.per_epoch for epoch in self.steps)
        if self.rule == "cosine":
            progress = max(0, batch - self.warm_up) / max(1, self.batches - self.warm_up)
            return rise * (self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2)
        return rise
