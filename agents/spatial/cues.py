"""What the network is shown or spared to learn: likeness to what was told, disagreement, usefulness, places.

On a grid of h × w cells there are 2h − 1 × 2w − 1 squares to be asked about, see `active_matting.agents.spatial.grid`.
"""

import torch
from torch import Tensor
from torch.nn import functional

from active_matting.agents.spatial.grid import CELL, HALF

COLOURS, _NEAR = (0.05, 0.15), 0.12
"""Standard deviations within which a cell is like one that was told: of colours in [0, 1]; of places, of the side."""

_BESIDE = (
    (0.2, 0.4, 0.5, 0.4, 0.2),
    (0.4, 0.6, 0.7, 0.6, 0.4),
    (0.5, 0.7, 0.0, 0.7, 0.5),
    (0.4, 0.6, 0.7, 0.6, 0.4),
    (0.2, 0.4, 0.5, 0.4, 0.2),
)
"""How much less likely, in logits, squares beside a mixed one are asked about."""

_TOLD = 0.7
"""More than this share of a square is told where there is nothing left to ask: a square half a cell away tells half."""

_ENOUGH = 2
"""Answers after which both classes should have been told."""

_SURROUNDINGS = 3
"""Standard deviation of what counts as near to a square that was asked about, in squares, of half a cell each."""

_LESS_LIKELY, _FIRST = (3.0, 0.7), 5.0
"""How much less likely, in logits, squares near to others are asked about: at first and later; how long "first" is."""

CLOSED = -1e9
"""The logit of a square that was asked about."""


@torch.no_grad()
def likeness(colours: Tensor, told: Tensor) -> Tensor:
    """How like each cell is to the likest half cell told, (N, 6, h, w) in [0, 1]: of foreground, then of background.

    colours: (N, 3, 2h, 2w), of half cells; told: (N, 2, 2h, 2w). exp(−d² / 2σ²), of colours for two σ, and of places.
    """
    cells = functional.avg_pool2d(colours.float(), 2)
    rows, columns = cells.shape[-2:]
    is_told = told.flatten(2) > 0.5  # (N, 2, half cells)
    # Few half cells are told: as many as of the picture that has most, and for the others some that are not.
    is_any = is_told.any(1)
    some = is_any.float().topk(max(1, int(is_any.sum(1).max()))).indices  # (N, E)
    is_told = is_told.gather(2, some[:, None].expand(-1, 2, -1))
    points, examples = (planes.flatten(2).transpose(1, 2) for planes in (cells, colours.float()))
    spots, middles = (_middles(count * rows, count * columns, told.device) for count in (1, 2))
    chosen = [
        each.expand(len(told), -1, -1).gather(1, some[..., None].expand(-1, -1, each.shape[2]))
        for each in (examples, middles)
    ]
    pairs = zip((points, spots.expand(len(told), -1, -1)), chosen, strict=True)
    nearest = [_nearest(of, to, is_told).view(-1, 2, rows, columns) for of, to in pairs]
    planes = [torch.exp(-nearest[0] / (2 * sigma**2)) for sigma in COLOURS]
    planes.append(torch.exp(-nearest[1] / (2 * _NEAR**2)))
    return torch.cat([plane[:, which, None] for which in (0, 1) for plane in planes], 1)


def _middles(rows: int, columns: int, device: torch.device) -> Tensor:
    """Where the parts of a picture are, (1, rows · columns, 2), as shares of its longer side."""
    longest = max(rows, columns)
    y, x = ((torch.arange(extent, device=device) + 0.5) / longest for extent in (rows, columns))
    return torch.stack([y[:, None].expand(rows, columns), x.expand(rows, columns)], -1).view(1, -1, 2)


def _nearest(points: Tensor, examples: Tensor, is_told: Tensor) -> Tensor:
    """Squared distances (N, 2, P) from points (N, P, D) to the nearest of examples (N, E, D) that is told, (N, 2, E).

    Infinite where none is.
    """
    squares = torch.cdist(points, examples) ** 2
    far = torch.where(is_told, 0.0, torch.inf)
    return torch.stack([(squares + far[:, which, None]).amin(2) for which in (0, 1)], 1)


def of_squares(cells: Tensor) -> Tensor:
    """Planes of cells (N, C, h, w) at the squares, (N, C, 2h − 1, 2w − 1): every second lies where a cell does."""
    h, w = cells.shape[-2:]
    return functional.interpolate(cells, size=(2 * h - 1, 2 * w - 1), mode="bilinear", align_corners=True)


def covered(squares: Tensor) -> Tensor:
    """The highest of the squares (N, C, 2h − 1, 2w − 1) that cover a half cell, (N, C, 2h, 2w); at least 0."""
    return functional.max_pool2d(functional.pad(squares, (1, 1, 1, 1)), 2, stride=1)


def is_known(told: Tensor) -> Tensor:
    """Which squares, bool (N, 2h − 1, 2w − 1), are told, but for a rest; told: (N, 2, 8h, 8w)."""
    return functional.avg_pool2d(told, CELL, stride=HALF).sum(1) > _TOLD


def as_decided(matte: Tensor, told: Tensor) -> Tensor:
    """The matte (N, 1, H, W); where one class alone is told what classical solvers have then: 0.5 but for the told.

    A network makes something of one class, and may be wrong throughout: where that was the case the agent, which
    learned with classical solvers, was led astray. told: (N, 2, H, W).
    """
    is_told = told.amax((2, 3)) > 0
    has_one = (is_told.sum(1) == 1)[:, None, None, None]
    decided = (1 + told[:, :1] - told[:, 1:]) / 2
    return torch.where(has_one, decided, matte)


def disagreement(matte: Tensor, opinion: Tensor) -> Tensor:
    """Of each cell, (N, 4, h, w): the logarithm of the mean squared difference; the opinion's mean, least and highest.

    matte, opinion: (N, 1, 8h, 8w). The last two tell whether it holds the cell to be of one class.
    """
    square = functional.avg_pool2d((matte - opinion) ** 2, CELL)
    least, highest = -functional.max_pool2d(-opinion, CELL), functional.max_pool2d(opinion, CELL)
    return torch.cat([torch.log(square + 1e-4) / 4 + 1, functional.avg_pool2d(opinion, CELL), least, highest], 1)


def counted(told: Tensor) -> Tensor:
    """(N, 4, h, w): the same everywhere, whether any of foreground and background was told, and how many cells."""
    counts = told.sum((2, 3), keepdim=True)
    figures = torch.cat([(counts > 0.01).to(counts), torch.log1p(counts) / 3], 1)
    return figures.expand(-1, -1, *told.shape[-2:])


def places(cells: Tensor) -> Tensor:
    """(N, 2, h, w): how near to the nearest side, and how high, each cell lies, in [-1, 1].

    cells: any planes of theirs.
    """
    count, _, rows, columns = cells.shape
    y, x = (torch.linspace(-1, 1, extent, device=cells.device, dtype=cells.dtype) for extent in (rows, columns))
    far = torch.maximum(y.abs()[:, None].expand(rows, columns), x.abs()[None].expand(rows, columns))
    planes = torch.stack([2 * far - 1, y[:, None].expand(rows, columns)])
    return planes.expand(count, 2, rows, columns)


def usefulness(kinds: Tensor, told: Tensor, asked: Tensor, alike: Tensor) -> Tensor:
    """The chance that an answer tells something, of each square, (N, R, C), at least 0.001.

    kinds: logits (N, 3, R, C); told: (N, 2, 8h, 8w); asked: (N, 1, R, C); alike: (N, 6, R, C), see `likeness`. A mixed
    answer tells nothing. Nor does a class that was told already while the other was not: until both are, classical
    solvers know nothing of the rest of the image (see `solvers.base.write_decided`). The more answers were of no use
    for that, the less its view of the squares can be right: the chances draw level, and what is near to or coloured
    like what was told loses.
    """
    is_told = told.amax((2, 3)) > 0.5
    only = is_told & ~is_told.flip(1)  # (N, 2), of foreground, and background
    wasted = (asked.sum((1, 2, 3)) - _ENOUGH).clamp(min=0) * only.any(1)
    doubt = 1 / (1 + wasted)[:, None, None]
    background, foreground, _ = functional.softmax(kinds * doubt[:, None], 1).unbind(1)
    useful = foreground * ~only[:, 0, None, None] + background * ~only[:, 1, None, None]
    _, wide, near = torch.where(only[:, :1, None, None], alike[:, :3], alike[:, 3:]).unbind(1)
    far = ((1 - near).clamp(min=0.01) * (1 - wide).clamp(min=0.01)).pow(1 - doubt)
    return (useful * far).clamp(min=1e-3)


def in_view_of_mixed(logits: Tensor, useful: Tensor, told: Tensor, asked: Tensor) -> Tensor:
    """Logits (N, R, C) of asking about each square, from a map's and from how useful an answer is, (N, R, C) each.

    told: (N, 2, 8h, 8w); asked: (N, 1, R, C). What lies beside squares that were mixed is less likely asked about. And
    where more were mixed than not the picture has more of them than is seen: what is sure to be pure is worth more, and
    the map's opinion less.
    """
    is_told = is_known(told)[:, None]
    is_mixed = ((asked > 0.5) & ~is_told).to(logits)
    beside = functional.conv2d(is_mixed, is_mixed.new_tensor(_BESIDE)[None, None], padding=2)[:, 0]
    surplus = (is_mixed.sum((1, 2, 3)) - is_told.sum((1, 2, 3))).clamp(min=0)[:, None, None]
    return (logits + useful.log()) / (1 + 0.3 * surplus) + 0.6 * surplus * useful.log() - beside


def spread_out(log_probability: Tensor, asked: Tensor, strength: float = 1.0) -> Tensor:
    """Log-probabilities (N, R, C) with what lies near to squares that were asked about, bool (N, R, C), less likely.

    An answer tells of its surroundings too, and where a picture's error is not seen at all it is not beside what was
    told. Most of that holds for the first answers. strength: 0 leaves all as it is.
    """
    reach = torch.arange(-3 * _SURROUNDINGS, 3 * _SURROUNDINGS + 1, device=asked.device, dtype=log_probability.dtype)
    profile = torch.exp(-(reach**2) / (2 * _SURROUNDINGS**2))
    planes = asked[:, None].to(log_probability)
    for kernel in (profile[:, None], profile[None]):
        planes = functional.conv2d(planes, kernel[None, None], padding=(kernel.shape[0] // 2, kernel.shape[1] // 2))
    first, later = _LESS_LIKELY
    fading = torch.exp(-asked.sum((1, 2)) / _FIRST).to(log_probability)[:, None, None]
    less = strength * (later + (first - later) * fading) * planes[:, 0].clamp(max=1.5)
    is_open = log_probability > CLOSED / 2
    logits = torch.where(is_open, log_probability - less, log_probability)
    return functional.log_softmax(logits.flatten(1), 1).view(logits.shape)


def close(logits: Tensor, asked: Tensor) -> Tensor:
    """Logits (N, R, C) with squares that were asked about closed; where all were, as they are."""
    is_asked = asked > 0.5
    is_asked = is_asked & ~is_asked.flatten(1).all(1)[:, None, None]
    return logits.masked_fill(is_asked, CLOSED)
