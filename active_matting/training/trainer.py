"""Supervised training of any network on tasks that take turns; the loop."""

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from active_matting.checks import check_integer
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.training.checkpoint import save_tensors
from active_matting.training.interrupts import Interrupts, TimeLimit, check_minutes
from active_matting.training.learner import Learner
from active_matting.training.loading import lessons
from active_matting.training.recipe import Recipe
from active_matting.training.reporting import Reporter
from active_matting.training.schedule import Lesson
from active_matting.training.task import Task

CHECKPOINT, WEIGHTS = Path("checkpoint") / "state.safetensors", "weights.safetensors"

Ending = Literal["finished", "no gain", "out of time", "interrupted"]


@dataclass(frozen=True)
class Outcome:
    """How a training ended: why, after how many batches and seconds, and the lowest error, at which batch."""

    ending: Ending
    batches: int
    seconds: float
    error: float | None
    best: int


def fit(
    recipe: Recipe,
    network: nn.Module,
    tasks: Mapping[str, Task],
    folder: Path | str,
    *,
    seed: int = 0,
    device: str = "auto",
    minutes: float | None = None,
    resume: bool = False,
) -> Outcome:
    """Teach `network` what `recipe` says and leave weights, checkpoint and log in `folder`.

    `minutes` ends it early, as SIGINT does; `resume` goes on from the checkpoint in `folder`. A run that was stopped or
    killed at any moment and resumed ends, on a CPU and with as many threads, with the same weights to the last bit as
    one that was not. `weights.safetensors` are the averaged weights of the lowest error, or without validation the
    latest; `network` itself is left with the newest. The network comes with its first weights.

    Raises `FileError` where there is a checkpoint already and `resume` is false, where there is none and it is true, or
    where it is another run's; `InvalidArgumentError`; `ConvergenceError`; and what the tasks raise.
    """
    check_run(seed, minutes)
    folder, limit = Path(folder), TimeLimit(minutes)
    made_of = {"seed": seed, "recipe": {name: part for name, part in recipe.as_table().items() if name != "running"}}
    learner = Learner(recipe, _placed(network, device, recipe.running.channels_last))
    save = partial(learner.save, folder / CHECKPOINT, made_of)
    if resume:
        learner.restore(folder / CHECKPOINT, made_of)
    elif (folder / CHECKPOINT).exists():
        raise FileError(f"{folder} has a checkpoint: resume it, or choose another folder")
    else:
        save()

    progress = learner.progress
    course = lessons(tasks, recipe.schedule, progress.batches, recipe.running.workers)
    with (
        closing(course),
        Reporter(folder, recipe.schedule.batches, progress.batches, recipe.running.log_every) as reporter,
        Interrupts() as interrupts,
        torch.random.fork_rng(devices=[]),
    ):

        def is_stopped() -> Ending | None:
            if interrupts.came:
                return "interrupted"
            return "out of time" if limit.is_over() else None

        ending = _learn(learner, tasks, course, seed, reporter, is_stopped, save)
        save()
        save_tensors(folder / WEIGHTS, learner.shipped())
        reporter.event("end", progress.batches, {"ending": ending}, progress.seconds)
    return Outcome(ending, progress.batches, progress.seconds, progress.error, progress.best)


def check_run(seed: int, minutes: float | None) -> None:
    """Raises `InvalidArgumentError` for what `fit` does not take, for those who make much before they call it."""
    check_integer("seed", seed, at_least=0)
    check_minutes(minutes)


def _learn(
    learner: Learner,
    tasks: Mapping[str, Task],
    course: Iterator[tuple[Lesson, Any]],
    seed: int,
    reporter: Reporter,
    is_stopped: Callable[[], Ending | None],
    save: Callable[[], None],
) -> Ending:
    """One lesson after the other until there are no more, or no gain, or it is stopped; returns why."""
    recipe, progress = learner.recipe, learner.progress
    context = _precision(learner.device, recipe.running.precision)
    latest = saved = measured = time.monotonic()
    while not learner.has_learnt_enough:
        if (ending := is_stopped()) is not None:
            return ending
        lesson, item = next(course)
        losses = learner.teach(tasks[lesson.task], item, _seeded(seed, lesson), context)
        rate = learner.optimiser.param_groups[0]["lr"]
        reporter.batch(progress.batches, lesson.task, losses, rate, progress.seconds)

        if _is_due(recipe, progress.batches, time.monotonic() - measured):
            figures = validate(recipe, learner.average, tasks)
            learner.judge(figures["error"])
            reporter.event("validation", progress.batches, figures, progress.seconds)
            measured = time.monotonic()

        now = time.monotonic()
        progress.seconds, latest = progress.seconds + now - latest, now
        if now - saved >= 60 * recipe.running.checkpoint_minutes:
            save()
            saved = now
    return "finished" if progress.batches == recipe.schedule.batches else "no gain"


@torch.no_grad()
def validate(recipe: Recipe, network: nn.Module, tasks: Mapping[str, Task]) -> dict[str, float]:
    """Figures of the network as "task/figure", and "error", the mean of the tasks' errors.

    Raises `InvalidArgumentError` where a task tells none.
    """
    figures: dict[str, float] = {}
    chosen = recipe.validation.tasks or tuple(tasks)
    for name in chosen:
        figures |= {f"{name}/{key}": float(value) for key, value in tasks[name].validate(network).items()}
        if f"{name}/error" not in figures:
            raise InvalidArgumentError(f"the task {name!r} tells no 'error'; leave it out of validation.tasks")
    figures["error"] = sum(figures[f"{name}/error"] for name in chosen) / len(chosen)
    return figures


def seed_of(seed: int, *of: str | int) -> int:
    """A number below 2³² that depends on the run's seed and on what it is for."""
    words = [zlib.crc32(word.encode()) if isinstance(word, str) else word for word in of]
    return int(np.random.SeedSequence([seed, *words]).generate_state(1)[0])


def choose_device(name: str) -> torch.device:
    """ "auto" is CUDA where there is any. Raises `InvalidArgumentError`."""
    if name not in ("auto", "cpu", "cuda"):
        raise InvalidArgumentError(f"device must be 'auto', 'cpu' or 'cuda', got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidArgumentError("there is no CUDA device here; device 'cpu' does without")
    return torch.device("cuda" if torch.cuda.is_available() and name != "cpu" else "cpu")


def has_bfloat16(device: torch.device) -> bool:
    """Whether it computes in bfloat16 by instructions of its own, and not by emulation."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported())


def _placed(network: nn.Module, device: str, is_channels_last: bool) -> nn.Module:
    layout = torch.channels_last if is_channels_last else torch.preserve_format
    return network.to(device=choose_device(device), memory_format=layout)  # type: ignore[call-overload,no-any-return]


def _precision(device: torch.device, precision: str) -> Any:
    # Without its cache: older torch keeps weights that were cast where a task predicts without gradients, and they
    # then get none (pytorch issue 158232).
    is_on = precision == "bfloat16" or (precision == "auto" and has_bfloat16(device))
    return partial(torch.autocast, device.type, torch.bfloat16, enabled=is_on, cache_enabled=False)


def _seeded(seed: int, lesson: Lesson) -> np.random.Generator:
    """A generator of the lesson's own; torch's global one is set too."""
    torch.manual_seed(seed_of(seed, lesson.task, lesson.number, "torch"))
    return np.random.default_rng([seed, zlib.crc32(lesson.task.encode()), lesson.number])


def _is_due(recipe: Recipe, batches: int, seconds: float) -> bool:
    """Whether to validate after `batches` batches, `seconds` after the last time."""
    settings = recipe.validation
    if not settings.is_on:
        return False
    is_time = settings.minutes > 0 and seconds >= 60 * settings.minutes
    return is_time or batches == recipe.schedule.batches or (settings.every > 0 and batches % settings.every == 0)
