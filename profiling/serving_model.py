"""What the benchmarks of serving serve and ask: a seeded network, pictures, and the right answers to them.

The network is not trained, which changes nothing about its speed. Its last layer is scaled so that its answers to the
pictures differ, and an answer to another picture is noticed.
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
from animals.preprocess import InputSpec, open_picture
from animals.records import Calibration, Card, ExportCheck, Metrics, Quantized, Rejection, SplitInfo, Training, now
from animals.storage import FolderStorage

CAMERA: Final = (4000, 3000)
VERSION: Final = "seeded"
TOLERANCE: Final = 0.01
"""Of a probability: an environment with other versions of Pillow or ONNX Runtime may round otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is served and asked."""

    folder: Path
    """Gets all of it."""
    architecture: str = "resnet18"
    side: int = 224
    pictures: Path | None = None
    """A folder of photographs; without one, pictures are drawn as those of the sample."""
    small: int = 30
    camera: int = 4

    @property
    def bucket(self) -> Path:
        """Where the version is published."""
        return self.folder / "bucket"

    @property
    def version(self) -> Path:
        """The published files."""
        return self.bucket / "models" / VERSION

    @property
    def answers(self) -> Path:
        """The right ones; written last."""
        return self.folder / "answers.json"


@dataclass(frozen=True, slots=True)
class Question:
    """One request, and what must come back."""

    body: bytes
    content_type: str
    answer: dict[str, float]
    """Probability by label."""

    def is_right(self, found: Any) -> bool:
        """Whether these are the right probabilities, and the label is the likeliest."""
        given = found["probabilities"]
        near = all(abs(given.get(label, 9) - wanted) < TOLERANCE for label, wanted in self.answer.items())
        return near and len(given) == len(self.answer) and found["prediction"] == max(given, key=given.__getitem__)


def read_questions(setup: Setup, kind: str, size: str) -> list[Question]:
    """Those of one size, in an order that is the same each time.

    Args:
        setup: that was prepared.
        kind: whose answers are right: `int8`, or those of `torch`.
        size: `small` or `camera`.
    """
    answers = json.loads(setup.answers.read_text(encoding="utf-8"))[kind]
    return [_question(path, answers[f"{size}/{path.name}"]) for path in sorted((setup.folder / size).iterdir())]


def _question(path: Path, answer: dict[str, float]) -> Question:
    request = httpx.Request("POST", "http://x", files={"file": (path.name, path.read_bytes(), "image/jpeg")})
    return Question(request.read(), request.headers["content-type"], answer)


def prepare(setup: Setup) -> None:
    """Publish the network in 8 bits, write it for timm too, and note what both say of the pictures."""
    import torch

    torch.manual_seed(0)
    write_pictures(setup)
    paths = [*sorted((setup.folder / "small").iterdir()), *sorted((setup.folder / "camera").iterdir())]
    _write_models(setup, paths)
    answers = {"int8": _ask_int8(setup, paths), "torch": _ask_torch(setup, paths)}
    setup.answers.write_text(json.dumps(answers), encoding="utf-8")


def write_pictures(setup: Setup) -> None:
    """Write what is asked: small pictures, and some as large as a camera's."""
    from animals.data.sample.make import make_sample

    source = setup.pictures
    if source is None:
        source = setup.folder / "drawn"
        make_sample(source, per_label=-(-setup.small // len(ANIMALS10_LABELS)), workers=1)
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    chosen = random.Random(0).sample(found, min(setup.small, len(found)))  # noqa: S311 - no secret
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
    shown = np.stack([read_pixels(path, spec) for path in paths[: setup.small]])
    model = build_model(config, len(ANIMALS10_LABELS), setup.side)
    _liven(model, torch.from_numpy(normalize(shown, spec)))
    made = setup.folder / "made"
    made.mkdir()
    export_hub_format(model, ANIMALS10_LABELS, spec, made)
    export_onnx(model, spec, made)
    quantize(made / registry.ONNX, made / registry.INT8, shown, spec)
    _publish(setup, spec, {path.name: path.read_bytes() for path in made.iterdir()})


def _liven(model: Any, pictures: Any) -> None:
    """Bring every layer's numbers into the range of a trained network's, and make the answers differ."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)  # timm begins with some at zero
            module.momentum = None  # the statistics become those of what is seen next
    with torch.no_grad():
        model.train()(pictures)
        logits = model.eval()(pictures)
        head = model.get_classifier()
        scale = 2 / logits.std(0)
        head.weight *= scale[:, None]
        head.bias.copy_((head.bias - logits.mean(0)) * scale)


def _publish(setup: Setup, spec: InputSpec, files: dict[str, bytes]) -> None:
    unknown = Metrics(accuracy=0, f1_macro=0, f1_weighted=0, loss=0, pictures=0, per_label={})
    card = Card(
        version=VERSION,
        created=now(),
        run=VERSION,
        architecture=setup.architecture,
        labels=ANIMALS10_LABELS,
        input=spec,
        metrics=unknown,
        temperature=1,
        calibration=Calibration(pictures=0, bins=1, ece_before=0, ece_after=0),
        rejection=Rejection(threshold=0, accepted=1, refused=0, pictures=0, others=0, source="none"),
        split=SplitInfo(manifest_sha256="0", seed=0, counts={}, test_sha256="0"),
        training=Training(epochs=0, best_epoch=0, seconds=0, hardware="none", precision="fp32", labels={}),
        export=ExportCheck(pictures=0, same_label=0, max_probability_difference=0),
        quantized=Quantized(
            accuracy=0, accuracy_fp32=0, same_label=0, pictures=0, passed=True, reason="Its speed is measured."
        ),
        config={},
        git_commit=None,
        packages={},
        files={name: registry.describe(data) for name, data in files.items()},
    )
    storage = FolderStorage(setup.bucket)
    registry.write_version(storage, card, files)
    registry.promote(storage, VERSION, reason="benchmark")


def _ask_int8(setup: Setup, paths: Sequence[Path]) -> dict[str, dict[str, float]]:
    from serving_classifier import load_classifier

    classifier = load_classifier(setup.version)
    return {_key(path): classifier.classify(path.read_bytes()) for path in paths}


def _ask_torch(setup: Setup, paths: Sequence[Path]) -> dict[str, dict[str, float]]:
    from plain_server import PlainModel

    model = PlainModel(setup.version)
    return {_key(path): model.classify(Image.open(path)) for path in paths}


def _key(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
