"""Augmentation and normalization of batches, on the device that trains."""

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.transforms.v2 import TrivialAugmentWide

from animals.config.training import AugmentConfig
from animals.preprocess import InputSpec

CHUNK: Final = 8
"""Pictures that a CPU prepares together: its caches hold no more, and a whole batch at once takes ten times as long.
They also share one operation of the policy."""

Color = Tensor
"""Amounts of brightness, contrast and saturation, shape (pictures, 3, 1, 1, 1)."""


def in_chunks(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Apply a function to a batch: to a few pictures at a time on a CPU, to all at once elsewhere.

    Args:
        function: takes chunks of the tensors, and returns a tensor with as many rows.
        tensors: one row per picture.
    """
    size = CHUNK if tensors[0].device.type == "cpu" else len(tensors[0])
    split: list[tuple[Tensor, ...]] = [torch.split(tensor, size) for tensor in tensors]
    return torch.cat([function(*chunks) for chunks in zip(*split, strict=True)])


class Normalize(nn.Module):
    """`preprocess.normalize` for tensors."""

    scale: Tensor
    offset: Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (spec.mean, spec.std))
        self.register_buffer("scale", 1 / std, persistent=False)
        self.register_buffer("offset", -mean / std, persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Subtract the mean and divide by the standard deviation; values in [0, 1], shape (pictures, 3, side, side)."""
        return torch.addcmul(self.offset, pictures, self.scale)  # in one pass


def to_unit(pixels: Tensor) -> Tensor:
    """Convert uint8 of shape (pictures, side, side, 3) to float32 in [0, 1] of shape (pictures, 3, side, side).

    The order in memory stays: pixels in the cache lie as in torch's channels_last, the faster layout.
    """
    return pixels.permute(0, 3, 1, 2).float().div_(255)


class Augment(nn.Module):
    """Random flip, rotation, zoom, shift and colour of each picture."""

    def __init__(self, config: AugmentConfig) -> None:
        super().__init__()
        self.config = config

    def draw(self, pictures: int, generator: torch.Generator, device: torch.device) -> tuple[Tensor, Color]:
        """Draw the amounts by which each picture is varied.

        The generator is on the CPU, so that the amounts are the same on every device.

        Returns:
            One matrix per picture, shape (pictures, 2, 3), from points of the result to points of the original; and
            the changes of its colours.
        """
        affine = _affine(self.config, pictures, generator)
        color = _amounts(self.config.color, (3, pictures, 1, 1, 1), generator).transpose(0, 1)
        return affine.to(device), color.to(device)

    def forward(self, pictures: Tensor, affine: Tensor, color: Color) -> Tensor:
        """Vary pictures in [0, 1], shape (pictures, 3, side, side), by the amounts of `draw`.

        The policy draws from torch's global generator.
        """
        if self.config.policy == "trivial":
            pictures = _trivial(pictures)
        return _recolor(_move(pictures, affine), color)


def _trivial(pictures: Tensor) -> Tensor:
    """Apply one operation per chunk: torchvision draws one for all pictures of a call."""
    chunks: tuple[Tensor, ...] = torch.split(pictures.mul(255).byte(), CHUNK)
    return torch.cat([TrivialAugmentWide()(chunk) for chunk in chunks]).float().div_(255)


def mix_up(pictures: Tensor, targets: Tensor, alpha: float, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Blend each picture with another of the batch (Zhang et al. 2018, arXiv:1710.09412).

    Args:
        pictures: shape (pictures, 3, side, side).
        targets: shape (pictures,).
        alpha: of the symmetric beta distribution that the share is drawn from.
        generator: on the CPU.

    Returns:
        The blends; the targets of the second pictures; the share of the first pictures, in [0, 1].
    """
    share = float(np.random.default_rng(generator.initial_seed()).beta(alpha, alpha))
    order = torch.randperm(len(pictures), generator=generator).to(pictures.device)
    return pictures * share + pictures[order] * (1 - share), targets[order], share


def _amounts(limit: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw uniformly from [-limit, limit]."""
    return (torch.rand(shape, generator=generator) * 2 - 1) * limit


def _affine(config: AugmentConfig, count: int, generator: torch.Generator) -> Tensor:
    angle = torch.deg2rad(_amounts(config.rotate, (count,), generator))
    scale = 1 / (1 + _amounts(config.zoom, (count,), generator))
    mirror = torch.where(torch.rand(count, generator=generator) < config.flip, -1.0, 1.0)
    shift = _amounts(2 * config.shift, (count, 2), generator)  # the sides are at -1 and 1
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [torch.stack([cosine * mirror, -sine], 1), torch.stack([sine * mirror, cosine], 1)]
    return torch.cat([torch.stack(rows, 1), shift[:, :, None]], 2)


def _move(pictures: Tensor, affine: Tensor) -> Tensor:
    grid = _grid(affine, pictures.shape[-1])
    # reflection: the network could learn from a black border
    moved: Tensor = functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
    return moved


def _grid(affine: Tensor, side: int) -> Tensor:
    """Return `functional.affine_grid`, shape (pictures, side, side, 2), by a sum instead of a matrix product."""
    centers = (torch.arange(side, device=affine.device) * 2 + 1) / side - 1
    along_x, along_y, start = affine.transpose(0, 1)[..., None, None].unbind(2)
    return (along_x * centers + (along_y * centers[:, None] + start)).permute(1, 2, 3, 0)


def _recolor(pictures: Tensor, color: Color) -> Tensor:
    """Change brightness, contrast (about the picture's mean) and saturation (about each pixel's mean).

    All three are linear, so they take one pass over the pictures, whose speed is limited by memory.
    """
    brightness, contrast, saturation = (1 + color).unbind(1)
    grey = pictures.mean(1, keepdim=True)
    middle = grey.mean((2, 3), keepdim=True)
    offset = brightness * (contrast * (1 - saturation) * grey + (1 - contrast) * middle)
    return torch.addcmul(offset, pictures, brightness * contrast * saturation).clamp_(0, 1)
