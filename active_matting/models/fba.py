"""FBA: foreground, background and alpha from one encoder and decoder (thesis, ch. 4)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from active_matting.errors import InvalidArgumentError, InvalidArrayError
from active_matting.models.base import Network, Prediction
from active_matting.models.decoder import Decoder, start_alpha_at
from active_matting.models.efficientnet import Recognition
from active_matting.models.hints import HintMaps
from active_matting.models.layers import at_least_float32, clip, normalise
from active_matting.models.resnet import EXPANSION, RESNET50, DilatedResNet


class FBA(Network):
    """Trimap → alpha, foreground, background (thesis, sec. 4.3.1 and table 4.1).

    The encoder sees 11 channels: the image normalised, six hints, the two masks; the decoder's last step sees both
    images and the masks. Seven outputs: alpha clipped to [0, 1], the colours by a sigmoid. They are not fused, see
    `active_matting.models.fusion`. width, depths: 64 and 3, 4, 6, 3 as published, less for smaller networks of the same
    topology; head: channels at full resolution. sigmas: of the hints, pixels, as in the released code.
    encoder_sees_marks: whether the two masks are among the encoder's inputs. guess: see `Network`; that solver's matte
    is one more channel at both ends, and the alpha to which the network's is added (ours; None as published). trust:
    how much of that change is made, less than all for a network that is right more often than not. side: see `Network`.
    recognises: whether it is also told what a network sees that was pretrained on photographs, see `Recognition` (ours;
    the thesis pretrains the encoder itself); detail: how many times larger the pictures are in which that one looks,
    which knows things the better for it. Raises `InvalidArgumentError`.
    """

    def __init__(
        self,
        width: int = 64,
        depths: Sequence[int] = RESNET50,
        head: Sequence[int] = (32, 16),
        sigmas: tuple[float, float, float] = (6.4, 25.6, 51.2),
        encoder_sees_marks: bool = True,
        guess: str | None = None,
        trust: float = 1.0,
        side: int | None = None,
        recognises: bool = False,
        detail: int = 1,
    ) -> None:
        super().__init__()
        if not 0 < trust <= 1:
            raise InvalidArgumentError(f"trust must lie in (0, 1], got {trust}")
        if side is not None and side < 1:
            raise InvalidArgumentError(f"side must be at least 1 px or None, got {side}")
        if detail < 1 or (detail > 1 and not recognises):
            raise InvalidArgumentError(f"detail must be 1, or more for a network that recognises, got {detail}")
        self.hint_maps = HintMaps(sigmas)
        self.guess, self.trust, self.side, self.detail = guess, trust, side, detail
        self.encoder_sees_marks = encoder_sees_marks
        more = 0 if guess is None else 1
        self.encoder = DilatedResNet((11 if encoder_sees_marks else 9) + more, width, depths)
        self.decoder = Decoder(self.encoder.outputs, EXPANSION * width, width, 3 + 3 + 2 + more, 7, width, head)
        self.recognition = Recognition(2 * EXPANSION * width, is_silent=True) if recognises else None
        start_alpha_at(self.decoder, 0.5 if guess is None else 0.0)

    def forward(
        self, image: Tensor, marks: Tensor, hints: Tensor, previous: Tensor, detailed: Tensor | None = None
    ) -> Prediction:
        """See `Network`; `previous` is looked at where it is a guess. Raises `InvalidArrayError`."""
        normal = normalise(image)
        guess = [] if self.guess is None else [previous]
        seen = [normal, hints, marks] if self.encoder_sees_marks else [normal, hints]
        recognised = None
        if self.recognition is not None:
            looked_in = image if self.detail == 1 else self._checked(detailed, image)
            recognised = self.recognition(looked_in, (image.shape[2] // self.stride, image.shape[3] // self.stride))
        stem, early, deep = self.encoder(torch.cat(seen + guess, dim=1), recognised)
        output = at_least_float32(self.decoder(deep, early, stem, torch.cat([normal, image, marks, *guess], dim=1)))
        alpha = output[:, :1]
        if self.guess is not None:
            alpha = previous + self.trust * (_clipped(previous + alpha) - previous)
        alpha = clip(alpha) if self.guess is None else _clipped(alpha)
        return Prediction(alpha, output[:, 1:4].sigmoid(), output[:, 4:].sigmoid())

    def _checked(self, detailed: Tensor | None, image: Tensor) -> Tensor:
        wanted = (*image.shape[:2], self.detail * image.shape[2], self.detail * image.shape[3])
        if detailed is None or detailed.shape != wanted:
            shape = None if detailed is None else tuple(detailed.shape)
            raise InvalidArrayError(
                f"detailed must have shape {wanted} for a network of detail {self.detail}, got {shape}"
            )
        return detailed


def _clipped(alpha: Tensor) -> Tensor:
    """Clipped to [0, 1], but with the gradient of what was not.

    Most of a guess is 0 or 1. Where that is wrong and the network's first change leads outwards it would else never
    learn; where it is right the loss itself has no slope.
    """
    return alpha.clamp(0, 1).detach() + (alpha - alpha.detach())
