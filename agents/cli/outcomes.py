"""How a training ended, in words."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from active_matting.training.trainer import Outcome  # loads torch


def tell_outcome(outcome: "Outcome", what: str, place: Path) -> None:
    """Say how it ended and that `what` lies at `place`. Raises `KeyboardInterrupt` where that is what ended it."""
    print(f"{outcome.ending}: {outcome.batches} batches in {outcome.seconds / 60:.1f} minutes")
    if outcome.error is not None:
        print(f"lowest error: {outcome.error:.5f}, after {outcome.best} batches")
    print(f"{what}: {place}")
    if outcome.ending in ("interrupted", "out of time"):
        print("to go on, give the same command again with --resume")
    if outcome.ending == "interrupted":
        raise KeyboardInterrupt
