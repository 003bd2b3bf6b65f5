"""Compose a picture: background, clutter, the animal and its shadow, sometimes an object in front, camera noise."""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from animals.data.sample.backgrounds import BLACK, WHITE, paint_background
from animals.data.sample.drawings import Drawing, clutter, render

# (width, height) in pixels -> frequency; like photographs on the web, most are 4:3 and landscape
SIZES: Final[dict[tuple[int, int], float]] = {
    (300, 225): 0.70,
    (225, 300): 0.12,
    (300, 200): 0.06,
    (320, 240): 0.05,
    (256, 256): 0.04,
    (280, 210): 0.03,
}
_ANIMAL_SIDE: Final = 256  # larger than in any picture, so that it is only scaled down
_CLUTTER_SIDE: Final = 128
_MAX_CUT: Final = 0.07  # fraction of an animal that may be outside the picture, on each side


class Placed(NamedTuple):
    """An RGBA patch and the position of its upper left corner, which may be outside the picture."""

    patch: Image.Image
    left: int
    top: int

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the patch, in the picture's pixels."""
        return self.left + self.patch.width / 2, self.top + self.patch.height / 2


def compose(drawing: Drawing, rng: np.random.Generator) -> Image.Image:
    """Compose an RGB picture of one of `SIZES` with an animal; `rng` decides everything else."""
    scene = paint_background(rng, *_size(rng))
    animal = _place_animal(rng, drawing, scene.size)
    for _ in range(rng.integers(1, 7)):
        _paste(scene, _place_clutter(rng, scene.size, animal))
    if rng.random() < 0.4:  # a camera that focuses on the animal
        scene = scene.filter(ImageFilter.BoxBlur(rng.uniform(0.8, 2.2)))
    _paste_shadow(rng, scene, animal)
    _paste(scene, animal)
    _put_in_front(rng, scene, animal)
    return _degrade(rng, scene)


def compose_empty(rng: np.random.Generator) -> Image.Image:
    """Compose an RGB picture of one of `SIZES` without an animal: a background and up to six objects."""
    scene = paint_background(rng, *_size(rng))
    for _ in range(rng.integers(0, 7)):
        x, y = rng.random(2) * scene.size
        _paste(scene, _centred(_clutter_patch(rng, rng.uniform(0.14, 0.36) * min(scene.size)), x, y))
    return _degrade(rng, scene)


def _size(rng: np.random.Generator) -> tuple[int, int]:
    sizes = list(SIZES)
    return sizes[int(rng.choice(len(sizes), p=list(SIZES.values())))]


def warp(picture: Image.Image, corners: NDArray[np.float64]) -> Image.Image:
    """Apply the perspective transform that moves a picture's corners.

    Args:
        picture: RGBA.
        corners: new upper left, upper right, lower right and lower left corner in pixels, shape (4, 2).

    Returns:
        RGBA, just large enough for the four corners.
    """
    goal = corners - corners.min(axis=0)
    width, height = (math.ceil(extent) for extent in goal.max(axis=0))
    w, h = picture.size
    source = np.array([(0, 0), (w, 0), (w, h), (0, h)], dtype=np.float64)
    coefficients = _homography(goal, source)
    return picture.transform(
        (width, height), Image.Transform.PERSPECTIVE, coefficients.tolist(), Image.Resampling.BILINEAR
    )


def _homography(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the eight coefficients that map four points (4, 2) to four others, in Pillow's order."""
    x, y = start.T
    zero, one = np.zeros(4), np.ones(4)
    u, v = end.T
    rows_u = np.stack([x, y, one, zero, zero, zero, -u * x, -u * y], axis=1)
    rows_v = np.stack([zero, zero, zero, x, y, one, -v * x, -v * y], axis=1)
    return np.linalg.solve(np.concatenate([rows_u, rows_v]), np.concatenate([u, v]))


def _pose(rng: np.random.Generator, picture: Image.Image, side: float, turn: float, pull: float) -> Image.Image:
    """Scale, flip, rotate and warp at random.

    Args:
        rng: random generator.
        picture: RGBA.
        side: new length of the longer side in pixels.
        turn: largest rotation in either direction in degrees.
        pull: largest shift of each corner, as a fraction of `side`.
    """
    scale = side / max(picture.size)
    width, height = (max(2, round(length * scale)) for length in picture.size)
    # scaled before the warp, which samples 4x4 pixels only and would break thin lines
    small = picture.resize((width, height), Image.Resampling.BICUBIC)
    if rng.random() < 0.5:
        small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    angle = math.radians(rng.uniform(-turn, turn))
    rotation = np.array([(math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))])
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)]) @ rotation
    return warp(small, corners + rng.uniform(-pull, pull, (4, 2)) * side)


def _relight(rng: np.random.Generator, patch: Image.Image, hue: float) -> Image.Image:
    """Rotate the hue by up to `hue` degrees, change the saturation, and add light from one side."""
    red, green, blue, alpha = patch.split()
    lit = Image.merge("RGB", (red, green, blue)).convert("RGB", _colour_matrix(rng, hue))
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 100)
    across = np.linspace(-strength, strength, patch.width) * math.cos(angle)
    down = np.linspace(-strength, strength, patch.height) * math.sin(angle)
    ramp = (across + down[:, None]).astype(np.float32)
    lit.paste(WHITE, mask=_mask(ramp * 0.6))
    lit.paste(BLACK, mask=_mask(-ramp))
    lit.putalpha(alpha)
    return lit


def _mask(plane: NDArray[np.float32]) -> Image.Image:
    return Image.fromarray(np.clip(plane, 0, 255).astype(np.uint8))


def _colour_matrix(rng: np.random.Generator, hue: float) -> tuple[float, ...]:
    """Return three rows of four for `Image.convert`: a rotation about the grey axis and a change of saturation."""
    angle, saturation = math.radians(rng.uniform(-hue, hue)), rng.uniform(0.6, 1.15)
    cos, sin = math.cos(angle), math.sin(angle) / math.sqrt(3)
    third = (1 - cos) / 3
    turn = np.array(
        [
            (cos + third, third - sin, third + sin),
            (third + sin, cos + third, third - sin),
            (third - sin, third + sin, cos + third),
        ]
    )
    matrix = saturation * turn + (1 - saturation) / 3
    return tuple(np.column_stack([matrix, np.zeros(3)]).ravel().tolist())


def _place_animal(rng: np.random.Generator, drawing: Drawing, size: tuple[int, int]) -> Placed:
    side = rng.uniform(0.6, 1.0) * min(size)
    patch = _relight(rng, _pose(rng, render(drawing, _ANIMAL_SIDE), side, turn=22, pull=0.07), hue=18)
    left, top = (_random_position(rng, room, length) for room, length in zip(size, patch.size, strict=True))
    return Placed(patch, left, top)


def _random_position(rng: np.random.Generator, room: int, length: int) -> int:
    """Return a random position at which little of a length is outside; centred if it is too long."""
    low, high = -_MAX_CUT * length, room - (1 - _MAX_CUT) * length
    return round(rng.uniform(low, high)) if low < high else (room - length) // 2


def _clutter_patch(rng: np.random.Generator, side: float) -> Image.Image:
    drawing = clutter()[rng.integers(len(clutter()))]
    return _relight(rng, _pose(rng, render(drawing, _CLUTTER_SIDE), side, turn=35, pull=0.06), hue=60)


def _place_clutter(rng: np.random.Generator, size: tuple[int, int], animal: Placed) -> Placed:
    """Place an object at the farthest of three random positions from the animal, so that it is not hidden."""
    patch = _clutter_patch(rng, rng.uniform(0.14, 0.36) * min(size))
    spots = rng.random((3, 2)) * size
    x, y = max(spots, key=lambda spot: math.dist(spot, animal.centre))
    return _centred(patch, x, y)


def _centred(patch: Image.Image, x: float, y: float) -> Placed:
    return Placed(patch, round(x - patch.width / 2), round(y - patch.height / 2))


def _paste(scene: Image.Image, placed: Placed) -> None:
    scene.paste(placed.patch, (placed.left, placed.top), placed.patch)


def _paste_shadow(rng: np.random.Generator, scene: Image.Image, placed: Placed) -> None:
    reach = 0.05 * min(scene.size)
    left, top = placed.left + rng.uniform(-reach, reach), placed.top + rng.uniform(0.2, 1) * reach
    darkness = rng.uniform(0.25, 0.5)
    shadow = Image.new("L", scene.size)
    shadow.paste(
        placed.patch.getchannel("A").point([round(k * darkness) for k in range(256)]), (round(left), round(top))
    )
    scene.paste((20, 20, 30), mask=shadow.filter(ImageFilter.GaussianBlur(rng.uniform(2, 6))))


def _put_in_front(rng: np.random.Generator, scene: Image.Image, animal: Placed) -> None:
    """Put something in front of the animal in one picture of four, never in front of its middle."""
    chance = rng.random()
    if chance < 0.09:
        _add_grass(rng, scene)
    elif chance < 0.18:
        _paste(scene, _place_in_front(rng, scene.size, animal))
    elif chance < 0.25:
        _add_snow(rng, scene)


def _place_in_front(rng: np.random.Generator, size: tuple[int, int], animal: Placed) -> Placed:
    patch = _clutter_patch(rng, rng.uniform(0.2, 0.3) * min(size))
    angle = rng.uniform(0, 2 * np.pi)
    x, y = animal.centre
    x += math.cos(angle) * 0.45 * animal.patch.width
    y += math.sin(angle) * 0.45 * animal.patch.height
    return _centred(patch, x, y)


def _add_grass(rng: np.random.Generator, scene: Image.Image) -> None:
    draw = ImageDraw.Draw(scene)
    width, height = scene.size
    for x in rng.uniform(-5, width + 5, int(rng.integers(30, 70))):
        reach = rng.uniform(0.06, 0.2) * height
        lean, thick = rng.uniform(-0.4, 0.4) * reach, rng.uniform(2, 5)
        green = (int(rng.integers(40, 110)), int(rng.integers(120, 180)), int(rng.integers(30, 80)))
        draw.polygon([(x - thick, height), (x + lean, height - reach), (x + thick, height)], fill=green)


def _add_snow(rng: np.random.Generator, scene: Image.Image) -> None:
    draw = ImageDraw.Draw(scene)
    for x, y in rng.random((int(rng.integers(25, 70)), 2)) * scene.size:
        draw.circle((x, y), rng.uniform(0.8, 2.6), fill=(245, 248, 252))


def _degrade(rng: np.random.Generator, scene: Image.Image) -> Image.Image:
    """Blur slightly, change the exposure, add sensor noise."""
    if rng.random() < 0.5:
        scene = scene.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.1)))
    luminance, *chroma = scene.convert("YCbCr").split()
    grain = rng.standard_normal((scene.height, scene.width), dtype=np.float32) * rng.uniform(0, 9)
    contrast, middle = rng.uniform(0.85, 1.1), rng.uniform(120, 145)
    exposed = (np.asarray(luminance, dtype=np.float32) - 128) * contrast + middle + grain
    return Image.merge("YCbCr", (_mask(exposed), *chroma)).convert("RGB")
