"""Forms of a trained network: torch, compiled, ONNX in 32 and in 8 bits, and both of these after pruning."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import nn
from torch._dynamo.exc import TorchDynamoException

from animals.config.training import TrainConfig
from animals.data.dataset import DataSet
from animals.errors import NotConvertible
from animals.inference import ONNX_INPUT, ONNX_OUTPUT, open_session
from animals.registry import INT8, ONNX
from animals.training.export.onnx import export_onnx
from animals.training.export.quantize import calibration_pictures, quantize
from animals.training.module import PictureClassifier
from animals.training.trainer import fit

PredictOne = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""A normalized picture, shape (1, 3, side, side) -> logits, shape (1, labels)."""

Forms = dict[str, tuple[Path, PredictOne]]
"""Name -> file, and how it predicts."""

WEIGHTS: Final = "model.safetensors"
NAMES: Final = {ONNX: "ONNX fp32", INT8: "ONNX int8"}
"""Names of the forms that can serve."""

PRUNED_LR: Final = 0.1
"""Fraction of the run's learning rate to train with after pruning: the weights change little."""

# what torch-pruning raises for layers that it does not know, and torch for a network whose layers no longer fit
_UNKNOWN_LAYERS: Final = (ValueError, TypeError, RuntimeError, AttributeError, LookupError, AssertionError)


def make_forms(
    folder: Path, data_set: DataSet, config: TrainConfig, *, channels: float, epochs: int
) -> tuple[Forms, dict[str, str]]:
    """Make all forms of a network that can be made.

    Args:
        folder: of the version's files; the other forms are written there.
        data_set: the pictures that the version was made with.
        config: of its run.
        channels: share of the channels to prune.
        epochs: to train after pruning.

    Returns:
        The forms, torch first; and for each that cannot be made its name and the reason.
    """
    pruned = f"pruned by {channels:.0%}"
    makers: dict[str, Callable[[], Forms]] = {
        "torch": lambda: {"torch": (folder / WEIGHTS, _torch_predictor(load(folder)))},
        "torch compiled": lambda: _compiled(folder, data_set.spec.side),
        "ONNX": lambda: onnx_forms(folder, data_set),
        pruned: lambda: onnx_forms(_export_pruned(folder, data_set, config, channels, epochs), data_set, f"{pruned}, "),
    }
    forms: Forms = {}
    failed: dict[str, str] = {}
    for name, make in makers.items():
        try:
            forms |= make()
        except NotConvertible as error:
            failed[name] = str(error)
    return forms, failed


def load(folder: Path) -> nn.Module:
    """Load the trained network in evaluation mode."""
    return timm.create_model(f"local-dir:{folder}", pretrained=True).eval()


def _torch_predictor(model: Any) -> PredictOne:
    @torch.inference_mode()
    def predict(normalized: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = model(torch.from_numpy(normalized)).numpy()
        return logits

    return predict


def _compiled(folder: Path, side: int) -> Forms:
    """Compile the network, which takes a minute and needs a C++ compiler."""
    predict = _torch_predictor(torch.compile(load(folder)))
    try:
        predict(np.zeros((1, 3, side, side), np.float32))
    except TorchDynamoException as error:
        raise NotConvertible(f"torch.compile fails ({str(error).strip().splitlines()[0]})") from error
    return {"torch compiled": (folder / WEIGHTS, predict)}


def onnx_forms(folder: Path, data_set: DataSet, prefix: str = "") -> Forms:
    """Load the ONNX files; quantize the network where no file in 8 bits was published, since it does not serve."""
    if not (folder / INT8).exists():
        quantize(folder / ONNX, folder / INT8, calibration_pictures(data_set), data_set.spec)
    return {f"{prefix}{name}": (folder / file, onnx_one_predictor(folder / file)) for file, name in NAMES.items()}


def onnx_one_predictor(path: Path) -> PredictOne:
    """Return a function that runs an ONNX file on one thread, as it serves."""
    session = open_session(path)

    def predict(normalized: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = session.run([ONNX_OUTPUT], {ONNX_INPUT: normalized})[0]
        return logits

    return predict


def _export_pruned(folder: Path, data_set: DataSet, config: TrainConfig, channels: float, epochs: int) -> Path:
    """Prune and train the network, and export it to a folder of its own."""
    model = load(folder)
    prune(model, data_set.spec.side, channels)
    trainer = replace(config.trainer, epochs=epochs, patience=0, devices=1, nodes=1, compile=False, resume="never")
    module = PictureClassifier(
        model.train(),
        data_set.spec,
        trainer=trainer,
        augment=config.augment,
        optimizer=replace(config.optimizer, lr=config.optimizer.lr * PRUNED_LR),
        scheduler=config.scheduler,
        seed=config.seed,
    )
    with TemporaryDirectory() as run:
        trained = fit(module, data_set, Path(run), trainer, seed=config.seed)
    assert trained is not None  # on one device there is no other process  # noqa: S101
    pruned = folder / "pruned"
    pruned.mkdir()
    export_onnx(trained.model.cpu().eval().to(memory_format=torch.contiguous_format), data_set.spec, pruned)
    return pruned


def prune(model: nn.Module, side: int, channels: float) -> None:
    """Remove the channels with the smallest weights from each layer of a network, except from its last layer.

    Args:
        model: of timm; it is changed.
        side: of its pictures.
        channels: share of the channels to remove.

    Raises:
        NotConvertible: the network has layers that cannot be pruned.
    """
    import torch_pruning  # the other forms do not need it

    example = torch.zeros(1, 3, side, side)
    head: Any = model.get_classifier()  # type: ignore[operator]
    model.eval()
    try:
        with warnings.catch_warnings():
            # of parameters that belong to no layer, which are pruned too
            warnings.filterwarnings("ignore", "Unwrapped parameters detected", UserWarning)
            pruner = torch_pruning.pruner.BasePruner(
                model,
                example,
                importance=torch_pruning.importance.GroupMagnitudeImportance(),
                pruning_ratio=channels,
                ignored_layers=[head],
                round_to=8,  # the width of vector instructions
            )
        pruner.step()
        with torch.inference_mode():
            model(example)
    except _UNKNOWN_LAYERS as error:
        raise NotConvertible(f"torch-pruning cannot prune this network ({type(error).__name__}: {error})") from error
