"""What a network is taught: the contract between tasks and the trainer."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn


class Task(Protocol):
    """One kind of lesson; several can take turns.

    The registry makes one as `factory(root=…, seed=…, **options)`: data folders in its options are relative to `root`,
    a `Path`; what it draws depends on `seed`, an integer that the trainer makes of the run's seed and the task's name;
    the options are those of the recipe. A task keeps no state that changes from batch to batch (caches aside) and can
    be pickled, so that the trainer can load in other processes and go on where a run was stopped.
    """

    def load(self, index: int) -> Any:
        """The task's `index`-th batch, counted from 0 over the whole run; numpy arrays for choice.

        It depends on the task and the index alone. It may be called in another process, so that what it returns is
        pickled, and ahead of time. A task that has nothing to prepare returns None.
        """

    def losses(self, network: nn.Module, item: Any, generator: np.random.Generator) -> Iterator[Tensor | None]:
        """The losses of what `load` returned; the weights are updated after each, before the next is asked for.

        Losses are scalars. In click-by-click training, say, the newest weights predict, the robot clicks, a loss is
        yielded, and so on. Where None is yielded nothing is updated. The network comes in training mode, on the device
        to compute on; who sets it to evaluation mode sets it back. Gradients are cleared after each update only: who
        wants a larger batch than fits calls `backward` on all of its parts but the last, which is yielded. On CUDA what
        happens in here is under autocast where the recipe says so: losses are best computed from `.float()`.

        The generator depends on the run's seed, the task's name and the index alone, and so does torch's global one.
        """

    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """Measures of the network, in evaluation mode and without gradients, on items that `load` never returns.

        "error" among them, lower is better, is what early stopping looks at. The result depends on the network alone.
        """

    def files(self) -> Mapping[str, Sequence[Path]]:
        """The files it reads, by what they are for, such as "cut-outs" and "held-out cut-outs"; none if there are none.

        Their numbers and hashes are written down with the weights.
        """
