"""What one sees of a training: a progress bar, a log of JSON lines, and TensorBoard where it is installed."""

import json
import logging
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from active_matting.files import written_whole

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG = "progress.jsonl"
SCALARS = "logs"
_KEPT = 0.95  # of a running loss, at each batch

_logger = logging.getLogger(__name__)


class Reporter:
    """Tells of a run of `batches` batches, `done` of which came before; a line of the log every `every` batches.

    Lines about later batches than `done`, of a run that was killed, are taken back. Each line of `progress.jsonl` has
    "event", "batch" and "seconds", training time in all; those of "training" the mean "loss/TASK" since the line
    before, the learning rate and batches per second, those of "validation" its figures. TensorBoard has the same.
    """

    def __init__(self, folder: Path, batches: int, done: int, every: int) -> None:
        self._path = folder / LOG
        self._forget_after(done)
        self._file = self._path.open("a", encoding="utf-8")
        self._scalars = _make_writer(folder / SCALARS, done)
        self._bar = tqdm(total=batches, initial=done, desc="training", unit="batch", dynamic_ncols=True)
        self._every = every
        self._running: dict[str, float] = {}
        self._since: dict[str, list[float]] = {}
        self._counted = 0
        self._started = time.monotonic()

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
        self._file.close()
        if self._scalars is not None:
            self._scalars.close()

    def batch(self, number: int, task: str, losses: list[float], learning_rate: float, seconds: float) -> None:
        """Batch `number`, from 1 on, is done."""
        self._bar.update()
        self._counted += 1
        if losses:
            mean = sum(losses) / len(losses)
            self._since.setdefault(task, []).append(mean)
            self._running[task] = _KEPT * self._running.get(task, mean) + (1 - _KEPT) * mean
            self._bar.set_postfix({name: f"{value:.4f}" for name, value in self._running.items()}, refresh=False)
        if number % self._every == 0:
            now = time.monotonic()
            figures = {f"loss/{name}": sum(values) / len(values) for name, values in self._since.items()}
            figures |= {"learning rate": learning_rate, "batches/s": self._counted / (now - self._started)}
            self.event("training", number, figures, seconds)
            self._since, self._counted, self._started = {}, 0, now

    def event(self, name: str, batch: int, figures: Mapping[str, Any], seconds: float) -> None:
        """Write a line; figures that are numbers go to TensorBoard too."""
        line = {"event": name, "batch": batch, "seconds": round(seconds, 2), **figures}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        if self._scalars is not None:
            for key, value in figures.items():
                if isinstance(value, int | float):
                    self._scalars.add_scalar(f"{name}/{key}".replace(" ", "_"), value, batch)

    def _forget_after(self, done: int) -> None:
        if not self._path.exists():
            return
        kept = [line for line in self._path.read_text(encoding="utf-8").splitlines() if _batch_of(line) <= done]
        with written_whole(self._path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _batch_of(line: str) -> float:
    """Half a line, of a process that was killed, comes last of all."""
    try:
        return float(json.loads(line)["batch"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def _make_writer(folder: Path, done: int) -> "SummaryWriter | None":
    if find_spec("tensorboard") is None:
        _logger.warning("no TensorBoard here (pip install tensorboard); %s has the same figures", LOG)
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=done + 1)
