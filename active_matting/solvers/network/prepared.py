"""An image that a network is asked about again and again."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from active_matting.errors import ConvergenceError
from active_matting.models.base import Prediction
from active_matting.models.fusion import fuse
from active_matting.models.layers import resize
from active_matting.segmenters.base import scaled_shape
from active_matting.solvers.base import Matte, PreparedSolver
from active_matting.solvers.named import NamedSolver
from active_matting.solvers.network.components import keep_told_components
from active_matting.solvers.network.loading import LoadedNetwork, load_for_solving
from active_matting.solvers.network.tiles import check_fits, run_in_tiles
from active_matting.solvers.network.upsampling import resize_planes, upsample_alpha
from active_matting.solvers.network.views import AUGMENTATIONS, Canvas, resize_picture
from active_matting.threads import torch_threads
from active_matting.types import Alpha, Image, Label, LabelMap, check_alpha, check_label_map

if TYPE_CHECKING:
    from active_matting.solvers.network.solver import NetworkSolver


@dataclass(frozen=True, eq=False)
class PreparedNetwork:
    """See `PreparedSolver`. Several threads may ask it at once."""

    solver: "NetworkSolver"
    image: Image
    loaded: LoadedNetwork
    canvases: tuple[Canvas, ...]
    """The image at each scale at which the network looks."""
    guesser: PreparedSolver | None = None
    """What makes the matte that the network corrects, where it does so."""

    @classmethod
    def of(cls, solver: "NetworkSolver", image: Image) -> "PreparedNetwork":
        """From an image that is checked and will not change. Raises `FileError` and `MemoryLimitError`."""
        loaded = load_for_solving(solver.weights, solver.network, solver.device)
        shape = (image.shape[0], image.shape[1])
        side = loaded.network.side if solver.side is None else solver.side
        shape = shape if side is None else scaled_shape(shape, side)
        scales = AUGMENTATIONS[solver.augmentations][0]
        shapes = [scaled_shape(shape, max(1, round(scale * max(shape)))) for scale in scales]
        largest = (max(image.shape[0], *(h for h, _ in shapes)), max(image.shape[1], *(w for _, w in shapes)))
        check_fits(largest, solver.tile, loaded.bytes_per_pixel, solver.memory)
        guess = loaded.network.guess
        guesser = None if guess is None else NamedSolver.read(guess).make().prepare(image)
        return cls(solver, image, loaded, tuple(Canvas.of(image, each, loaded) for each in shapes), guesser)

    def __reduce__(self) -> tuple[Any, ...]:
        return PreparedNetwork.of, (self.solver, self.image)  # the network is its process's own

    @property
    def shape(self) -> tuple[int, int]:
        """See `PreparedSolver.shape`."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def remembers(self) -> bool:
        """Whether `previous` changes the matte; see `active_matting.solvers.together.solve_next`."""
        return self.solver.remembers

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        """See `PreparedSolver.solve`. Raises `InvalidArrayError`, and `ConvergenceError` where the network's numbers
        are none.
        """
        label_map = check_label_map(label_map, self.shape)
        is_foreground, is_background = label_map == Label.FOREGROUND, label_map == Label.BACKGROUND
        is_told = is_foreground | is_background
        if not is_told.any():
            return Matte(np.full(self.shape, 0.5, dtype=np.float32))
        if is_told.all():
            return Matte(is_foreground.astype(np.float32), self.image.copy(), self.image.copy())
        with torch.inference_mode(), torch_threads():
            prediction = self._predict(label_map, self._alpha_before(label_map, previous))
            alpha, *colours = (None if part is None else _picture(part) for part in prediction)
        assert alpha is not None
        if not np.isfinite(alpha).all():
            raise ConvergenceError(f"the network {self.solver.network!r} gave alphas that are no numbers")
        np.copyto(alpha, 1, where=is_foreground)
        np.copyto(alpha, 0, where=is_background)
        if self.solver.keeps_connected:
            alpha = keep_told_components(alpha, is_foreground)
        for colour, opacity in zip(colours, (1, 0), strict=True):
            if colour is not None:
                np.copyto(colour, self.image, where=(alpha == opacity)[..., None])
        return Matte(alpha, *colours)

    def solve_many(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        """See `PreparedSolver.solve_many`: one after the other, as a network of this size keeps a device busy."""
        alphas = np.empty((len(label_maps), *self.shape), dtype=np.float32)
        for alpha, label_map in zip(alphas, label_maps, strict=True):
            alpha[:] = self.solve(label_map).alpha
        return alphas

    def _predict(self, label_map: LabelMap, before: Alpha | None) -> Prediction:
        """The mean of what the network says to all augmentations, at the image's own size, fused."""
        turns = AUGMENTATIONS[self.solver.augmentations][1]
        shape, total = self.canvases[0].shape, None
        for canvas in self.canvases:
            planes = canvas.planes(label_map, before, self.loaded)
            for turn in turns:
                shown = [turn.show(each) for each in (planes, canvas.detailed) if each is not None]
                run = run_in_tiles(self.loaded.predict, shown[0], self.solver.tile, self.loaded.stride, *shown[1:])
                back = resize_planes(canvas.cropped(turn.undo(run)), shape)
                total = back if total is None else total + back
        assert total is not None
        mean = total / (len(self.canvases) * len(turns))
        if self.guesser is None or before is None:
            alpha = upsample_alpha(mean[:, :1], self.image, guided=self.solver.guided)
        else:
            alpha = self._corrected(before, mean[:, :1], self.solver.share_of_change(label_map))
        if mean.shape[1] == 1:
            return Prediction(alpha)
        colours = resize_planes(mean[:, 1:], self.shape)
        prediction = Prediction(alpha, colours[:, :3], colours[:, 3:])
        if not self.solver.fuses:
            return prediction
        fused = fuse(prediction, torch.from_numpy(self.image).permute(2, 0, 1)[None].to(self.loaded.device))
        return fused if self.guesser is None else fused._replace(alpha=alpha)

    def _corrected(self, guess: Alpha, alpha: Tensor, share: float) -> Tensor:
        """The guess `(H, W)`, moved by this share of how far it is from the network's alpha `(1, 1, h, w)` there."""
        change = alpha - torch.from_numpy(resize_picture(guess, self.canvases[0].shape)).to(alpha)
        large = torch.from_numpy(guess).to(alpha)[None, None]
        return (large + share * resize(change, self.shape)).clamp(0, 1)

    def _alpha_before(self, label_map: LabelMap, previous: Matte | None) -> Alpha | None:
        """The other matte the network is told of: its guess; or the earlier one, unless from before any answer."""
        if self.guesser is not None:
            return self.guesser.solve(label_map).alpha
        if previous is None or not self.solver.remembers:
            return None
        alpha = check_alpha(previous.alpha, self.shape, "previous.alpha")
        return None if (alpha == 0.5).all() else alpha


def _picture(planes: Tensor) -> NDArray[np.float32]:
    """Planes `(1, C, H, W)` as an array of their own: `(H, W)`, or `(H, W, 3)`."""
    picture = planes[0].permute(1, 2, 0).cpu().numpy()
    return np.array(picture[..., 0] if picture.shape[2] == 1 else picture, dtype=np.float32, order="C")
