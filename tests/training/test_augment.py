"""Pictures are varied within the configured bounds, each on its own, and always the same way for the same generator."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from animals.config.training import AugmentConfig
from animals.preprocess import InputSpec, normalize
from animals.training.augment import Augment, Normalize, in_chunks, mix_up, to_unit

STILL: dict[str, Any] = {"flip": 0.0, "rotate": 0.0, "zoom": 0.0, "shift": 0.0, "color": 0.0}


def picture() -> torch.Tensor:
    """A white dot near the upper left corner of a black picture, shape (1, 3, 17, 17)."""
    result = torch.zeros(1, 3, 17, 17)
    result[:, :, 3, 5] = 1
    return result


def vary(pictures: torch.Tensor, seed: int = 0, **settings: Any) -> torch.Tensor:
    augment = Augment(AugmentConfig(**{**STILL, **settings}))
    amounts = augment.draw(len(pictures), torch.Generator().manual_seed(seed), pictures.device)
    varied: torch.Tensor = augment(pictures, *amounts)
    return varied


def brightest(pictures: torch.Tensor) -> list[tuple[int, int]]:
    flat = pictures.mean(1).flatten(1).argmax(1)
    return [(int(index) // 17, int(index) % 17) for index in flat]


def test_with_everything_off_pictures_stay_as_they_are() -> None:
    torch.testing.assert_close(vary(picture()), picture(), atol=1e-5, rtol=0)


def test_flip_mirrors_left_and_right() -> None:
    assert brightest(vary(picture(), flip=1.0)) == [(3, 11)]


def test_flip_at_one_half_mirrors_about_half() -> None:
    mirrored = brightest(vary(picture().repeat(200, 1, 1, 1), flip=0.5)).count((3, 11))
    assert 70 < mirrored < 130


@pytest.mark.parametrize(
    ("setting", "limit"), [({"shift": 0.2}, 17 * 0.2), ({"rotate": 20.0}, 2.3), ({"zoom": 0.2}, 1.6)]
)
def test_the_dot_moves_up_to_the_bound_and_not_further(setting: dict[str, Any], limit: float) -> None:
    moves = np.array(brightest(vary(picture().repeat(300, 1, 1, 1), **setting))) - np.array([3, 5])
    assert 0.5 * limit < np.abs(moves).max() <= limit + 1


def test_colors_change_and_stay_in_range() -> None:
    pictures = torch.rand(50, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    varied = vary(pictures, color=0.5)
    assert varied.min() >= 0
    assert varied.max() <= 1
    ratio = varied.mean((1, 2, 3)) / pictures.mean((1, 2, 3))
    assert ratio.min() < 0.75
    assert ratio.max() > 1.2


def test_the_same_generator_gives_the_same_pictures_and_another_others() -> None:
    pictures = torch.rand(4, 3, 16, 16)
    everything: dict[str, Any] = {"flip": 0.5, "rotate": 10.0, "zoom": 0.2, "shift": 0.1, "color": 0.2}
    assert torch.equal(vary(pictures, seed=1, **everything), vary(pictures, seed=1, **everything))
    assert not torch.equal(vary(pictures, seed=1, **everything), vary(pictures, seed=2, **everything))


def test_pictures_move_as_torch_moves_them() -> None:
    pictures = torch.rand(5, 3, 16, 16)
    augment = Augment(AugmentConfig(color=0.0))
    affine, color = augment.draw(5, torch.Generator().manual_seed(1), pictures.device)
    grid = functional.affine_grid(affine, list(pictures.shape), align_corners=False)
    expected = functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
    torch.testing.assert_close(augment(pictures, affine, color), expected, atol=1e-5, rtol=0)


def test_a_batch_in_chunks_gives_what_it_gives_at_once() -> None:
    pictures = torch.rand(19, 3, 16, 16)
    augment = Augment(AugmentConfig())
    amounts = augment.draw(19, torch.Generator().manual_seed(1), pictures.device)
    torch.testing.assert_close(in_chunks(augment, pictures, *amounts), augment(pictures, *amounts))


def test_training_normalizes_as_serving_does() -> None:
    spec = InputSpec(side=8, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    tensor = Normalize(spec)(to_unit(torch.from_numpy(pixels)))
    np.testing.assert_allclose(tensor.numpy(), normalize(pixels, spec), atol=1e-5)


def test_pixels_keep_the_layout_that_torch_is_faster_with() -> None:
    assert to_unit(torch.zeros(2, 8, 8, 3, dtype=torch.uint8)).is_contiguous(memory_format=torch.channels_last)


def test_the_policy_varies_pictures_and_keeps_their_range() -> None:
    pictures = torch.rand(32, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    varied = vary(pictures, policy="trivial")
    torch.manual_seed(0)
    assert torch.equal(varied, vary(pictures, policy="trivial"))
    assert varied.shape == pictures.shape
    assert 0 <= varied.min() <= varied.max() <= 1
    assert not torch.allclose(varied, pictures, atol=0.1)


def test_mixup_blends_each_picture_with_the_one_whose_target_it_gives() -> None:
    pictures = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 2, 2)  # each picture is its own target
    blends, others, share = mix_up(pictures, torch.arange(4), 0.4, torch.Generator().manual_seed(3))
    assert 0 <= share <= 1
    torch.testing.assert_close(blends[:, 0, 0, 0], torch.arange(4.0) * share + others * (1 - share))
    assert sorted(others.tolist()) == [0, 1, 2, 3]
