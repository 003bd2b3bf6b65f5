"""From pixels to the model's input on tensors, on the device that trains."""

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.transforms.v2 import TrivialAugmentWide

from animals.config.training import AugmentConfig
from animals.preprocess import InputSpec

PART: Final = 8
"""Pictures that are prepared together on a CPU: its caches hold no more, and a batch at once takes ten times as long.
They also share one operation of the policy."""

Color = Tensor
"""Amounts of brightness, contrast and saturation, shape (pictures, 3, 1, 1, 1)."""


def in_parts(change: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """What a function makes of a batch, a few pictures at a time on a CPU, all at once elsewhere.

    Args:
        change: from parts of the tensors to a tensor with as many rows.
        tensors: with one row a picture.
    """
    size = PART if tensors[0].device.type == "cpu" else len(tensors[0])
    split: list[tuple[Tensor, ...]] = [torch.split(tensor, size) for tensor in tensors]
    return torch.cat([change(*parts) for parts in zip(*split, strict=True)])


class Normalize(nn.Module):
    """The tensor twin of `preprocess.normalize`."""

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
    """uint8 of shape (pictures, side, side, 3) -> float32 in [0, 1] of shape (pictures, 3, side, side).

    The bytes stay where they are: what was channels-last on disk is torch's channels_last, the faster layout.
    """
    return pixels.permute(0, 3, 1, 2).float().div_(255)


class Augment(nn.Module):
    """Each picture mirrored, turned, zoomed, moved and recoloured by amounts of its own."""

    def __init__(self, config: AugmentConfig) -> None:
        super().__init__()
        self.config = config

    def draw(self, pictures: int, generator: torch.Generator, device: torch.device) -> tuple[Tensor, Color]:
        """By how much to vary each picture.

        Args:
            pictures: how many.
            generator: on the CPU; the same one gives the same amounts on every device.
            device: where the amounts are wanted.

        Returns:
            One matrix a picture, shape (pictures, 2, 3): where in the original each point of the result lies; and how
            its colours change.
        """
        affine = _affine(self.config, pictures, generator)
        color = _amounts(self.config.color, (3, pictures, 1, 1, 1), generator).transpose(0, 1)
        return affine.to(device), color.to(device)

    def forward(self, pictures: Tensor, affine: Tensor, color: Color) -> Tensor:
        """Vary pictures by the amounts that were drawn for them.

        Args:
            pictures: in [0, 1], shape (pictures, 3, side, side).
            affine: of `draw`.
            color: of `draw`. The policy draws by itself, from torch's global generator.

        Returns:
            The same shape, in [0, 1].
        """
        if self.config.policy == "trivial":
            pictures = _trivial(pictures)
        return _recolor(_move(pictures, affine), color)


def _trivial(pictures: Tensor) -> Tensor:
    """One operation and strength for each few pictures: torchvision draws one for all that it is given at once."""
    few: tuple[Tensor, ...] = torch.split(pictures.mul(255).byte(), PART)
    return torch.cat([TrivialAugmentWide()(part) for part in few]).float().div_(255)


def mix_up(pictures: Tensor, targets: Tensor, alpha: float, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Blend each picture with another of the batch (Zhang et al. 2018, arXiv:1710.09412).

    Args:
        pictures: shape (pictures, 3, side, side).
        targets: shape (pictures,).
        alpha: of the symmetric beta distribution that the share is drawn from.
        generator: on the CPU.

    Returns:
        The blends; the targets of the others; the share of the first, in [0, 1].
    """
    share = float(np.random.default_rng(generator.initial_seed()).beta(alpha, alpha))
    order = torch.randperm(len(pictures), generator=generator).to(pictures.device)
    return pictures * share + pictures[order] * (1 - share), targets[order], share


def _amounts(most: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform in [-most, most]."""
    return (torch.rand(shape, generator=generator) * 2 - 1) * most


def _affine(config: AugmentConfig, count: int, generator: torch.Generator) -> Tensor:
    angle = torch.deg2rad(_amounts(config.rotate, (count,), generator))
    scale = 1 / (1 + _amounts(config.zoom, (count,), generator))
    mirror = torch.where(torch.rand(count, generator=generator) < config.flip, -1.0, 1.0)
    shift = _amounts(2 * config.shift, (count, 2), generator)  # the sides are at -1 and 1
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [torch.stack([cosine * mirror, -sine], 1), torch.stack([sine * mirror, cosine], 1)]
    return torch.cat([torch.stack(rows, 1), shift[:, :, None]], 2)


def _move(pictures: Tensor, affine: Tensor) -> Tensor:
    # reflection: a black border would be a thing to learn
    grid = _grid(affine, pictures.shape[-1])
    moved: Tensor = functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
    return moved


def _grid(affine: Tensor, side: int) -> Tensor:
    """What `functional.affine_grid` gives, shape (pictures, side, side, 2), as one sum instead of a matrix product."""
    at = (torch.arange(side, device=affine.device) * 2 + 1) / side - 1
    along_x, along_y, start = affine.transpose(0, 1)[..., None, None].unbind(2)
    return (along_x * at + (along_y * at[:, None] + start)).permute(1, 2, 3, 0)


def _recolor(pictures: Tensor, color: Color) -> Tensor:
    """Contrast is about the picture's mean, saturation about each pixel's.

    All three are linear, so together they are one pass over the pictures, which memory limits.
    """
    brightness, contrast, saturation = (1 + color).unbind(1)
    grey = pictures.mean(1, keepdim=True)
    middle = grey.mean((2, 3), keepdim=True)
    others = brightness * (contrast * (1 - saturation) * grey + (1 - contrast) * middle)
    return torch.addcmul(others, pictures, brightness * contrast * saturation).clamp_(0, 1)
