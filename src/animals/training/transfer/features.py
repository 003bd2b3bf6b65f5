"""Features of a frozen network: computed once for each picture, and kept on disk by content."""

import hashlib
import json
import logging
import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor, nn

from animals.concurrency import in_threads, progress_bar
from animals.cpus import available_cpus
from animals.data.dataset import DataSet
from animals.errors import ConfigError
from animals.files import atomic_write
from animals.inference import ONNX_INPUT, open_session
from animals.preprocess import InputSpec, normalize
from animals.training.budget import seconds_per_picture
from animals.training.export.onnx import export_graph
from animals.training.export.padding import with_static_padding
from animals.training.weights import hash_of

log = logging.getLogger(__name__)

FORMAT: Final = 1
"""Raised when features are computed differently from before; older caches are then not used."""

PART: Final = 2048
"""Pictures after which their features are stored: an interrupted run resumes from there."""


NO_HEAD: Final = (
    "method=transfer needs a network whose last layer is linear on pooled features, which this one has not. Choose "
    "another model.name, or method=full."
)

BACKBONE: Final = "backbone.onnx"
"""File of the frozen network in the cache's folder."""

Forward = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Pixels of shape (pictures, side, side, 3) -> features of shape (pictures, dimensions)."""


class Backbone(nn.Module):
    """A network of timm up to its pooled features, without the classifier."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pictures: Tensor) -> Tensor:
        """Return features of shape (pictures, dimensions)."""
        model = cast(Any, self.model)
        return cast(Tensor, model.forward_head(model.forward_features(pictures), pre_logits=True))


def classifier_of(model: nn.Module) -> nn.Linear:
    """Return the linear layer that makes logits of pooled features.

    Raises:
        ConfigError: the network has no such layer, so no head can be fitted on its features.
    """
    layer = cast(Any, model).get_classifier() if hasattr(model, "get_classifier") else None
    if not isinstance(layer, nn.Linear):
        raise ConfigError(NO_HEAD)
    return layer


def check_head(model: nn.Module, side: int) -> None:
    """Raise unless the logits of a network are those of its last layer on its pooled features.

    Raises:
        ConfigError: they are not, so a head cannot be fitted on the features.
    """
    try:
        with torch.inference_mode():
            pictures = torch.randn(1, 3, side, side)
            same = torch.allclose(model(pictures), classifier_of(model)(Backbone(model)(pictures)), atol=1e-3)
    except (AttributeError, TypeError, RuntimeError):
        same = False
    if not same or classifier_of(model).bias is None:
        raise ConfigError(NO_HEAD)


@dataclass(frozen=True, slots=True)
class FrozenFeatures:
    """What a frozen network makes of the pictures."""

    features: NDArray[np.float32]
    """Shape (rows of the manifest, dimensions)."""
    backbone: Path | None
    """The network as ONNX, with its pooled features as output; None where torch computed on a GPU."""


@dataclass(frozen=True, slots=True)
class FeatureCache:
    """Features on disk for one network and one way to prepare pictures, found by the SHA-256 of the picture file."""

    folder: Path

    def read(self) -> tuple[dict[str, int], NDArray[np.float32]]:
        """Return the row of each picture by its digest, and the features of shape (pictures, dimensions)."""
        digests: list[str] = []
        parts: list[NDArray[np.float32]] = []
        for path in sorted(self.folder.glob("*.npz")):
            with np.load(path, allow_pickle=False) as part:
                digests += part["digests"].tolist()
                parts.append(part["features"])
        features = np.concatenate(parts) if parts else np.empty((0, 0), np.float32)
        return {digest: row for row, digest in enumerate(digests)}, features

    def add(self, batches: Sequence[tuple[list[str], NDArray[np.float32]]]) -> None:
        """Store the features of some pictures, given with their digests."""
        digests = [digest for some, _ in batches for digest in some]
        features = np.concatenate([part for _, part in batches])
        with atomic_write(self.folder / f"{uuid.uuid4().hex}.npz") as path, path.open("wb") as file:
            np.savez(file, digests=np.array(digests), features=features)


def pooled_features(
    model: nn.Module, data_set: DataSet, *, cache_dir: Path, device: torch.device, seconds: float = math.inf
) -> FrozenFeatures:
    """Return the pooled features of all pictures, computing those that are not cached.

    Args:
        model: the frozen network.
        data_set: the pictures.
        cache_dir: folder of all caches.
        device: what computes. On a CPU it is ONNX Runtime, in half the time of torch.
        seconds: that it may take.

    Raises:
        ConfigError: it would take longer; nothing has been computed.
    """
    cache = FeatureCache(cache_dir / f"features-{_key(model, data_set.spec, device)}")
    cache.folder.mkdir(parents=True, exist_ok=True)
    digests = [row.sha256 for row in data_set.manifest]
    with FileLock(cache.folder.with_suffix(".lock")):
        known, features = cache.read()
        missing = {digest: row for row, digest in enumerate(digests) if digest not in known}
        if missing:
            if device.type == "cpu":
                _check_time(len(missing), seconds, model, data_set.spec)
            _compute(cache, missing, data_set, model, device)
            known, features = cache.read()
    exported = cache.folder / BACKBONE
    return FrozenFeatures(features[[known[digest] for digest in digests]], exported if exported.exists() else None)


def _check_time(pictures: int, seconds: float, model: nn.Module, spec: InputSpec) -> None:
    if math.isinf(seconds):
        return
    needed = pictures * seconds_per_picture(model, spec.side) / 2  # ONNX Runtime takes half the time of torch
    if needed > seconds:
        raise ConfigError(
            f"trainer.minutes is too short for a head: the features of {pictures} pictures take {needed:.0f} s, and "
            f"{max(0.0, seconds):.0f} s are left for them. Allow at least {(needed - seconds) / 60:.1f} minutes more."
        )


def _key(model: nn.Module, spec: InputSpec, device: torch.device) -> str:
    head = next(name for name, layer in model.named_modules() if layer is classifier_of(model))
    precision = "fp32" if device.type == "cpu" else "bf16"
    content = json.dumps([FORMAT, hash_of(model, without=f"{head}."), asdict(spec), precision])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _compute(
    cache: FeatureCache, missing: dict[str, int], data_set: DataSet, model: nn.Module, device: torch.device
) -> None:
    """Compute the features of rows by digest, and store them part by part."""
    if device.type == "cpu":
        forward, batch, threads = _with_onnx(model, data_set.spec, cache.folder / BACKBONE), 8, available_cpus()
    else:
        forward, batch, threads = _with_torch(model, data_set.spec, device), 128, 1
    digests = list(missing)
    batches = [digests[first : first + batch] for first in range(0, len(digests), batch)]
    done: list[tuple[list[str], NDArray[np.float32]]] = []

    def features_of(some: list[str]) -> NDArray[np.float32]:
        return forward(data_set.read_pixels(np.array([missing[digest] for digest in some])))

    with progress_bar() as progress:
        task = progress.add_task("Computing features", total=len(digests))
        for some, features in in_threads(features_of, batches, threads=threads):
            done.append((some, features))
            progress.advance(task, len(some))
            if sum(len(names) for names, _ in done) >= PART:
                cache.add(done)
                done = []
    if done:
        cache.add(done)


def _with_onnx(model: nn.Module, spec: InputSpec, path: Path) -> Forward:
    """Return a function from pixels to features that runs in ONNX Runtime; several threads may call it at once."""
    if not path.exists():
        static = Backbone(with_static_padding(model.cpu(), spec.side)).eval()
        with atomic_write(path) as temporary:
            export_graph(static, spec.side, temporary, ["features"])
    session = open_session(path)

    def forward(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return cast(NDArray[np.float32], session.run(["features"], {ONNX_INPUT: normalize(pixels, spec)})[0])

    return forward


def _with_torch(model: nn.Module, spec: InputSpec, device: torch.device) -> Forward:
    """Return a function from pixels to features that runs in torch, in bfloat16."""
    backbone = Backbone(model).eval().to(memory_format=torch.channels_last).to(device)

    @torch.inference_mode()
    def forward(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        pictures = torch.from_numpy(normalize(pixels, spec)).to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            return cast(NDArray[np.float32], backbone(pictures).float().cpu().numpy())

    return forward
