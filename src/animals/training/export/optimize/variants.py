"""All forms of a version that can be made here."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

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
from animals.training.export.optimize.measure import Answer, Variant
from animals.training.export.optimize.prune import pruned
from animals.training.export.quantize import calibration_pictures, quantize

WEIGHTS: Final = "model.safetensors"

FORMS: Final = {ONNX: "ONNX fp32", INT8: "ONNX int8"}
"""What is said of the files that can serve."""


def all_variants(
    folder: Path, data_set: DataSet, config: TrainConfig, *, channels: float, epochs: int
) -> tuple[list[Variant], dict[str, str]]:
    """Make every form of a version that can be made.

    Args:
        folder: has the version's files, and gets those that are made here.
        data_set: the pictures that it was made with.
        config: of its run.
        channels: part of the channels that is pruned.
        epochs: of training after that.

    Returns:
        The forms, torch in 32 bits first, and the names of the others with the reason.
    """
    makers: dict[str, Callable[[], list[Variant]]] = {
        "torch": lambda: [Variant("torch", (folder / WEIGHTS).stat().st_size, ask_torch(load(folder)))],
        "torch compiled": lambda: [compiled(folder, data_set.spec.side)],
        "ONNX": lambda: in_onnx(folder, data_set),
        f"pruned by {channels:.0%}": lambda: in_onnx(
            _narrow(folder, data_set, config, channels=channels, epochs=epochs), data_set, f"pruned by {channels:.0%}, "
        ),
    }
    made, not_made = [], {}
    for name, make in makers.items():
        try:
            made += make()
        except NotConvertible as error:
            not_made[name] = str(error)
    return made, not_made


def load(folder: Path) -> nn.Module:
    """The trained network, ready to answer."""
    return timm.create_model(f"local-dir:{folder}", pretrained=True).eval()


def ask_torch(model: nn.Module) -> Answer:
    """A network as a function."""

    @torch.inference_mode()
    def answer(prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = model(torch.from_numpy(prepared)).numpy()
        return logits

    return answer


def compiled(folder: Path, side: int) -> Variant:
    """The network compiled by torch, which takes a minute.

    Raises:
        NotConvertible: there is no C++ compiler, or the network is not what torch can compile.
    """
    answer = ask_torch(torch.compile(load(folder)))  # type: ignore[arg-type] # a module for a module
    try:
        answer(np.zeros((1, 3, side, side), np.float32))
    except TorchDynamoException as error:
        raise NotConvertible(f"torch.compile fails ({str(error).strip().splitlines()[0]})") from error
    return Variant("torch compiled", (folder / WEIGHTS).stat().st_size, answer)


def in_onnx(folder: Path, data_set: DataSet, before: str = "") -> list[Variant]:
    """The exported network in 32 and in 8 bits; the latter is made now if it is not there, for it did not serve.

    Args:
        folder: has the ONNX file in 32 bits, and gets the other.
        data_set: to calibrate with.
        before: what the names begin with.

    Raises:
        NotConvertible: the quantizer does not know this network.
    """
    if not (folder / INT8).exists():
        quantize(folder / ONNX, folder / INT8, calibration_pictures(data_set), data_set.spec)
    return [
        Variant(f"{before}{name}", (folder / file).stat().st_size, ask_one(folder / file))
        for file, name in FORMS.items()
    ]


def ask_one(model: Path) -> Answer:
    """An ONNX file on one thread, as it serves."""
    session = open_session(model)

    def answer(prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = session.run([ONNX_OUTPUT], {ONNX_INPUT: prepared})[0]
        return logits

    return answer


def _narrow(folder: Path, data_set: DataSet, config: TrainConfig, *, channels: float, epochs: int) -> Path:
    """Folder of the pruned network's ONNX file."""
    narrow = folder / "pruned"
    narrow.mkdir()
    export_onnx(pruned(load(folder), data_set, config, channels=channels, epochs=epochs), data_set.spec, narrow)
    return narrow
