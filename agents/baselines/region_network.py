"""B2's network: an image to N places at once (Active Matting, sec. 3.1)."""

import torch
from scipy.stats import qmc
from torch import Tensor, nn
from torch.nn import functional

from active_matting.errors import InvalidArgumentError


class RegionCNN(nn.Module):
    """A convolutional net whose features a fully connected layer encodes to 2 × N numbers, the places of N regions.

    The paper tells no more. The stages here are VGG16's, as those of the paper's own feature extraction net are: 3×3
    convolutions, each stage halving height and width; the default sizes are its, too. Each channel of the image is
    first brought to mean 0 and deviation 1; the places end in a tanh, as actions lie in [-1, 1]², and begin spread
    evenly. regions: N. size: side of the images it sees, pixels; others are resized. channels, convolutions: of the
    stages. pooled: side before the fully connected layers, of `hidden` units. Raises `InvalidArgumentError`.
    """

    def __init__(
        self,
        regions: int,
        size: int = 400,
        channels: tuple[int, ...] = (64, 128, 256, 512, 512),
        convolutions: tuple[int, ...] = (2, 2, 3, 3, 3),
        pooled: int = 7,
        hidden: tuple[int, ...] = (4096, 4096),
    ) -> None:
        super().__init__()
        if regions < 1:
            raise InvalidArgumentError(f"regions must be at least 1, got {regions}")
        if len(channels) != len(convolutions) or not channels:
            raise InvalidArgumentError(
                f"channels and convolutions must name as many stages, got {channels} and {convolutions}"
            )
        self.size, self.regions = size, regions
        layers: list[nn.Module] = []
        width = 3
        for channel, count in zip(channels, convolutions, strict=True):
            for _ in range(count):
                layers += [nn.Conv2d(width, channel, kernel_size=3, padding=1), nn.ReLU()]
                width = channel
            layers.append(nn.MaxPool2d(2))
        layers += [nn.AdaptiveAvgPool2d(pooled), nn.Flatten()]
        width *= pooled**2
        for units in hidden:
            layers += [nn.Linear(width, units), nn.ReLU()]
            width = units
        last = nn.Linear(width, 2 * regions)
        nn.init.normal_(last.weight, std=0.01)
        with torch.no_grad():
            last.bias.copy_(spread_places(regions).atanh().flatten())
        self.layers = nn.Sequential(*layers, last)

    def forward(self, image: Tensor) -> Tensor:
        """Image (B, 3, H, W) in [0, 1] → places (B, N, 2), (y, x) in [-1, 1]."""
        if image.shape[-2:] != (self.size, self.size):
            image = functional.interpolate(image, size=(self.size, self.size), mode="area")
        deviation, mean = torch.std_mean(image, dim=(2, 3), keepdim=True)
        places: Tensor = self.layers((image - mean) / (deviation + 1e-3))
        return places.tanh().view(-1, self.regions, 2)


def spread_places(count: int) -> Tensor:
    """(count, 2) in [-0.8, 0.8], evenly spread: the first points of a Halton sequence, the middle first."""
    points = qmc.Halton(2, scramble=False).random(count + 1)[1:]
    return torch.as_tensor(0.8 * (2 * points - 1), dtype=torch.float32)
