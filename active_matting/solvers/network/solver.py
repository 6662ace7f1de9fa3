"""Networks behind the contract of a solver (thesis, ch. 3 to 5)."""

from dataclasses import dataclass
from typing import ClassVar

from active_matting.errors import InvalidArgumentError
from active_matting.solvers.base import is_untold
from active_matting.solvers.batched.batch import check_device
from active_matting.solvers.network.prepared import PreparedNetwork
from active_matting.solvers.network.tiles import SMALLEST
from active_matting.solvers.network.views import AUGMENTATIONS
from active_matting.types import Image, LabelMap, check_image


@dataclass(frozen=True)
class NetworkSolver:
    """What solvers that ask a network have in common.

    The image is padded to the network's stride by repeating its last row and column, not resized; nothing is told in
    the padding, and the hints go on into it. What is told holds exactly. Nothing told: alpha 0.5, without asking;
    everything: as told, without asking; otherwise, with one class alone too, the network decides. Transitions tell it
    nothing. On a CPU the same call gives the same bits, as long as torch computes on as many threads.

    Networks are loaded when the first image is prepared, and shared by all images of a process that name the same
    files and device. Raises `InvalidArgumentError`; `prepare` raises `FileError` where weights are missing or do not
    fit, and `MemoryLimitError`.
    """

    weights: str | None = None
    """A folder with `config.json` and `weights.safetensors`; a checkpoint file as the thesis's author published it; or
    a name of weights that come with the package. None: those of this network's name."""
    device: str = "cpu"
    """What it runs on: "cpu", "cuda", "cuda:0", ..., or "auto", a GPU where there is one."""
    side: int | None = None
    """The longer side, in pixels, at which the network works, whatever the image's is; None: the network's own, if it
    has one, else the image's."""
    guided: bool = True
    """Whether a smaller alpha comes back to the image's size by the image's colours; else linearly, as does always what
    a network changes in another solver's matte."""
    augmentations: int = 1
    """How many predictions are averaged: 1; 2, the mirrored image too; 8, mirrored and in quarter turns; 24, these at
    three scales, 0.75, 1 and 1.25. Each costs a run of the network."""
    tile: int = 1024
    """The largest side, in pixels, that is run at once. What is larger is run in parts that overlap by a quarter and
    are blended; far labels then reach a part by their hints alone, so where few pixels are told, `side` does better."""
    memory: float = 8.0
    """GiB that solving may take, about; where it would take more `prepare` refuses."""

    network: ClassVar[str]
    """Its name in `active_matting.models.NETWORKS`."""
    remembers: ClassVar[bool] = False
    """Whether the previous matte is part of what the network is asked."""

    def __post_init__(self) -> None:
        if self.device != "auto":
            check_device(self.device)
        if self.augmentations not in AUGMENTATIONS:
            raise InvalidArgumentError(f"augmentations must be one of {[*AUGMENTATIONS]}, got {self.augmentations}")
        if self.side is not None and self.side < 1:
            raise InvalidArgumentError(f"side must be at least 1 px or None, got {self.side}")
        if self.tile < SMALLEST:
            raise InvalidArgumentError(f"tile must be at least {SMALLEST} px, got {self.tile}")
        if not self.memory > 0:
            raise InvalidArgumentError(f"memory must be above 0 GiB, got {self.memory}")

    @property
    def fuses(self) -> bool:
        """Whether alpha and colours are fused."""
        return False

    @property
    def keeps_connected(self) -> bool:
        """Whether what hangs together with nothing that was pointed at is taken away."""
        return False

    def share_of_change(self, label_map: LabelMap) -> float:
        """How much is made, in [0, 1], of what the network changes in another solver's matte of these labels."""
        return 1.0

    def prepare(self, image: Image) -> PreparedNetwork:
        """See `Solver.prepare`. Raises `InvalidArrayError`, `FileError` and `MemoryLimitError`."""
        return PreparedNetwork.of(self, check_image(image).copy())


@dataclass(frozen=True)
class FBASolver(NetworkSolver):
    """Alpha, foreground and background from a trimap by one network, FBA (thesis, ch. 4).

    It was made for trimaps; of a few labels it makes little. Where alpha is 1 the foreground is the image, where it is
    0 the background is. The rest, and what is raised, see `active_matting.solvers.network.solver.NetworkSolver`.
    """

    fusion: bool = True
    """Whether alpha and colours are moved towards what makes up the image (equations 4.3 to 4.5); the colours alone
    where the network corrects another solver's matte."""

    network: ClassVar[str] = "fba"

    @property
    def fuses(self) -> bool:
        """See `fusion`."""
        return self.fusion


@dataclass(frozen=True)
class IMattingSolver(NetworkSolver):
    """Alpha, foreground and background from clicks, strokes, regions or a trimap by one network (thesis, ch. 5).

    Where the network corrects another solver's matte, as the one that comes with the package does, its change is made
    in full while a quarter of the image or less is told, less the more is, and not at all from half of it on.
    Where alpha is 1 the foreground is the image, where it is 0 the background is. The rest, and what is raised, see
    `active_matting.solvers.network.solver.NetworkSolver`.
    """

    fusion: bool = True
    """Whether alpha and colours are moved towards what makes up the image (equations 4.3 to 4.5); the colours alone
    where the network corrects another solver's matte."""

    network: ClassVar[str] = "imatting"

    @property
    def fuses(self) -> bool:
        """See `fusion`."""
        return self.fusion

    def share_of_change(self, label_map: LabelMap) -> float:
        """All of it while a quarter of the image or less is told, less the more is, and none from half of it on."""
        return min(1.0, max(0.0, 4 * float(is_untold(label_map).mean()) - 2))


@dataclass(frozen=True)
class InteractiveSegmentationSolver(NetworkSolver):
    """A soft mask from clicks by the two-stream network (thesis, ch. 3).

    Each answer is made of the one before: the network sees `previous`'s alpha, and 0 where there is none, or where it
    was 0.5 throughout as before the first answer. So the mask depends on what was said in which order, and
    `solve_many`, which has no previous matte, is what first answers would lead to; sessions and environments hand the
    newest matte over. The rest, and what is raised, see `active_matting.solvers.network.solver.NetworkSolver`.
    """

    keep_connected: bool = True
    """Whether what is visible (alpha above 0.1) but hangs together with nothing told to be foreground is taken away, as
    in the released code; where nothing is told to be foreground all stays."""

    network: ClassVar[str] = "two-stream"
    remembers: ClassVar[bool] = True

    @property
    def keeps_connected(self) -> bool:
        """See `keep_connected`."""
        return self.keep_connected
