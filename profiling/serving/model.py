"""The model and requests of the serving benchmarks: a seeded network, pictures, and the right answers to them.

The network is not trained, which does not change its speed. Its last layer is scaled so that its answers to the
pictures differ, and a mixed-up answer is noticed.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from PIL import Image

from animals import registry
from animals.animals10 import ANIMALS10_LABELS
from animals.preprocess import open_picture
from animals.storage import FolderStorage
from profiling.card import publish

CAMERA: Final = (4000, 3000)
VERSION: Final = "seeded"
TOLERANCE: Final = 0.01
"""Of a probability: other versions of Pillow or ONNX Runtime round differently."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The served model and the pictures."""

    folder: Path
    """Where everything is written."""
    architecture: str = "resnet18"
    side: int = 224
    pictures: Path | None = None
    """A folder of photographs; without one, pictures of the sample are drawn."""
    small: int = 30
    """Pictures as they are."""
    camera: int = 4
    """Pictures enlarged to a camera's size."""

    @property
    def bucket(self) -> Path:
        """The bucket with the published version."""
        return self.folder / "bucket"

    @property
    def version(self) -> Path:
        """The folder of the published files."""
        return self.bucket / "models" / VERSION

    @property
    def answers(self) -> Path:
        """The file with the right answers; it is written last."""
        return self.folder / "answers.json"


@dataclass(frozen=True, slots=True)
class Request:
    """One request and the right answer."""

    body: bytes
    content_type: str
    answer: dict[str, float]
    """Probability by label."""

    def is_right(self, response: Any) -> bool:
        """Return whether a response has the right probabilities, and predicts the most probable label."""
        given = response["probabilities"]
        close = all(abs(given.get(label, 9) - share) < TOLERANCE for label, share in self.answer.items())
        return close and len(given) == len(self.answer) and response["prediction"] == max(given, key=given.__getitem__)


def read_requests(setup: Setup, kind: str, size: str) -> list[Request]:
    """Return the requests with pictures of a size (`small` or `camera`) and the answers of `int8` or `torch`."""
    answers = json.loads(setup.answers.read_text(encoding="utf-8"))[kind]
    return [_request(path, answers[f"{size}/{path.name}"]) for path in sorted((setup.folder / size).iterdir())]


def _request(path: Path, answer: dict[str, float]) -> Request:
    request = httpx.Request("POST", "http://x", files={"file": (path.name, path.read_bytes(), "image/jpeg")})
    return Request(request.read(), request.headers["content-type"], answer)


def prepare(setup: Setup) -> None:
    """Publish the network in 8 bits and for timm, and write both models' answers to the pictures."""
    import torch

    torch.manual_seed(0)
    write_pictures(setup)
    paths = [*sorted((setup.folder / "small").iterdir()), *sorted((setup.folder / "camera").iterdir())]
    _write_models(setup, paths)
    answers = {"int8": _classify_int8(setup, paths), "torch": _classify_torch(setup, paths)}
    setup.answers.write_text(json.dumps(answers), encoding="utf-8")


def write_pictures(setup: Setup) -> None:
    """Write small pictures, and some as large as a camera's."""
    from animals.data.sample.make import make_sample

    source = setup.pictures
    if source is None:
        source = setup.folder / "drawn"
        make_sample(source, per_label=-(-setup.small // len(ANIMALS10_LABELS)), workers=1)
    paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    chosen = random.Random(0).sample(paths, min(setup.small, len(paths)))  # noqa: S311 - no secret
    for name in ("small", "camera"):
        (setup.folder / name).mkdir(parents=True)
    for number, path in enumerate(chosen):
        (setup.folder / "small" / f"{number:02}.jpg").write_bytes(path.read_bytes())
    for number, path in enumerate(chosen[: setup.camera]):
        large = open_picture(path).resize(CAMERA, Image.Resampling.BICUBIC)
        large.save(setup.folder / "camera" / f"{number:02}.jpg", quality=90)


def _write_models(setup: Setup, paths: Sequence[Path]) -> None:
    import numpy as np
    import torch

    from animals.config.data import DataConfig
    from animals.config.training import ModelConfig
    from animals.preprocess import normalize, read_pixels
    from animals.training.export.onnx import export_hub_format, export_onnx
    from animals.training.export.quantize import quantize
    from animals.training.model import build_model, input_spec

    config = ModelConfig(name=setup.architecture, pretrained=False)
    spec = input_spec(config, DataConfig(side=setup.side, resize="squash"))
    pixels = np.stack([read_pixels(path, spec) for path in paths[: setup.small]])
    model = build_model(config, len(ANIMALS10_LABELS), setup.side)
    _spread_answers(model, torch.from_numpy(normalize(pixels, spec)))
    exported = setup.folder / "exported"
    exported.mkdir()
    export_hub_format(model, ANIMALS10_LABELS, spec, exported)
    export_onnx(model, spec, exported)
    quantize(exported / registry.ONNX, exported / registry.INT8, pixels, spec)
    files = {path.name: path.read_bytes() for path in exported.iterdir()}
    storage = FolderStorage(setup.bucket)
    publish(storage, VERSION, ANIMALS10_LABELS, spec, files, architecture=setup.architecture)


def _spread_answers(model: Any, pictures: Any) -> None:
    """Bring activations into the range of a trained network's, and make the answers differ."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)  # timm initializes some with zero
            module.momentum = None  # the statistics become those of the next batch
    with torch.no_grad():
        model.train()(pictures)
        logits = model.eval()(pictures)
        head = model.get_classifier()
        scale = 2 / logits.std(0)
        head.weight *= scale[:, None]
        head.bias.copy_((head.bias - logits.mean(0)) * scale)


def _classify_int8(setup: Setup, paths: Sequence[Path]) -> dict[str, dict[str, float]]:
    from profiling.serving.classifier import load_classifier

    classifier = load_classifier(setup.version)
    return {_key(path): classifier.classify(path.read_bytes()) for path in paths}


def _classify_torch(setup: Setup, paths: Sequence[Path]) -> dict[str, dict[str, float]]:
    from profiling.serving.plain_server import PlainModel

    model = PlainModel(setup.version)
    return {_key(path): model.classify(Image.open(path)) for path in paths}


def _key(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
