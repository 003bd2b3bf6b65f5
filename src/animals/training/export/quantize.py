"""The exported model in 8-bit integers, published beside the one in 32-bit numbers where it answers like it."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.checker import ValidationError
from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors
from onnxruntime.quantization import QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from animals.data.load import DataSet
from animals.errors import NotConvertible
from animals.inference import ONNX_INPUT, ONNX_PROJECTION
from animals.preprocess import InputSpec, normalize
from animals.records import Quantized
from animals.registry import INT8, ONNX
from animals.training.evaluation.metrics import Evaluation
from animals.training.evaluation.predictors import BATCH, onnx_predictor
from animals.training.loader import evaluation_loader

log = logging.getLogger(__name__)

CALIBRATION: Final = 128
"""Pictures, at most, that the range of each activation is found on; with ten times as many it is no better."""

AT_ONCE: Final = 16
"""Pictures whose lowest and highest values are found together."""

MAX_LOSS: Final = 0.005
"""Part of the test pictures that may be answered right less often than by the model in 32 bits."""

MIN_SAME: Final = 0.98
"""Part of the test pictures that must get the same label."""

# What the quantizer raises for a graph that it does not understand, and ONNX Runtime for what comes out of it:
# there is no common base.
_UNKNOWN_GRAPH: Final = (
    ValueError,
    TypeError,
    RuntimeError,
    AttributeError,
    KeyError,
    AssertionError,
    ValidationError,
    onnx_errors.Fail,
    onnx_errors.InvalidArgument,
    onnx_errors.InvalidGraph,
    onnx_errors.NotImplemented,
    onnx_errors.RuntimeException,
)


def export_int8(folder: Path, data_set: DataSet, evaluation: Evaluation, *, workers: int) -> Quantized:
    """Write `model.int8.onnx` beside `model.onnx`, if it is good enough to serve.

    Args:
        folder: that has `model.onnx`, and gets the other.
        data_set: calibrates with training pictures, or validation pictures where those are only streamed.
        evaluation: what the model in 32 bits says of the test pictures.
        workers: processes that decode when nothing is cached.

    Returns:
        What was measured. A model that cannot be quantized, or loses too much by it, is no error: it serves as it is.
    """
    (folder / INT8).unlink(missing_ok=True)  # of a run that was interrupted here
    with TemporaryDirectory() as temporary:
        made = Path(temporary) / INT8
        try:
            quantize(folder / ONNX, made, calibration_pictures(data_set), data_set.spec)
            found = judge(made, data_set, evaluation, workers=workers)
        except NotConvertible as error:
            found = _not_made(str(error), evaluation)
        if found.passed:
            shutil.move(made, folder / INT8)
    log.log(logging.INFO if found.passed else logging.WARNING, found.reason)
    return found


def calibration_pictures(data_set: DataSet) -> NDArray[np.uint8]:
    """Pixels of some training pictures of all labels, shape (pictures, side, side, 3): the same ones each time."""
    rows = data_set.rows("val" if data_set.shards else "train")
    chosen = np.random.default_rng(0).permutation(rows)[:CALIBRATION]
    return data_set.read_pixels(chosen)


def quantize(model: Path, out: Path, pixels: NDArray[np.uint8], spec: InputSpec) -> None:
    """Write a model that computes in 8-bit integers.

    Weights have 7 of the 8 bits. CPUs without VNNI add two products of 8 bits in 16, where those of 8-bit weights do
    not fit: the model would answer otherwise there than here, where it is measured. It costs next to nothing, as each
    channel of a weight has a scale of its own. That and the moving average of the activations' ranges, which single
    bright pixels do not decide, gave the most equal answers: docs/design/export.md.

    Args:
        model: the ONNX file in 32 bits.
        out: the file to write.
        pixels: to calibrate with, shape (pictures, side, side, 3).
        spec: how they are normalized.

    Raises:
        NotConvertible: the quantizer does not know what to do with this model.
    """
    with TemporaryDirectory() as temporary:
        prepared = Path(temporary) / ONNX
        try:
            # symbolic shapes are for sequences of any length; the only open number here is that of pictures
            quant_pre_process(model, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                out,
                PictureReader(pixels, spec),
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=True,
                nodes_to_exclude=_projecting(prepared),
                extra_options={"CalibMovingAverage": True},
            )
            onnx_predictor(out, spec)(pixels[:1])
        except _UNKNOWN_GRAPH as error:
            raise NotConvertible(f"ONNX Runtime cannot bring this model to 8 bits ({_first_line(error)})") from error


def _projecting(model: Path) -> list[str]:
    """Names of the nodes that give the projection: in 8 bits it would end where that of the calibration pictures does.

    Drift is found by what lies beyond.
    """
    return [node.name for node in onnx.load(model).graph.node if ONNX_PROJECTION in node.output]


def _first_line(error: Exception) -> str:
    """The start of a message that may be a page long."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


class PictureReader:
    """Pictures as the quantizer asks for them (its `CalibrationDataReader`): one input after the other, then None.

    Args:
        pixels: shape (pictures, side, side, 3).
        spec: how they are normalized.
    """

    def __init__(self, pixels: NDArray[np.uint8], spec: InputSpec) -> None:
        self._inputs = _inputs(pixels, spec)

    def get_next(self) -> dict[str, Any] | None:
        """The next input."""
        return next(self._inputs, None)


def _inputs(pixels: NDArray[np.uint8], spec: InputSpec) -> Iterator[dict[str, Any]]:
    for first in range(0, len(pixels), AT_ONCE):
        yield {ONNX_INPUT: normalize(pixels[first : first + AT_ONCE], spec)}


def judge(model: Path, data_set: DataSet, evaluation: Evaluation, *, workers: int) -> Quantized:
    """Ask a quantized model about every test picture, and compare.

    Args:
        model: its ONNX file.
        data_set: the pictures.
        evaluation: what the model in 32 bits says of them.
        workers: processes that decode when nothing is cached.
    """
    ask = onnx_predictor(model, data_set.spec)
    batches = evaluation_loader(data_set, "test", batch_size=BATCH, workers=workers)
    predictions = np.concatenate([ask(pixels.numpy()).argmax(1) for pixels, _ in batches])
    return decide(predictions, evaluation)


def decide(predictions: NDArray[np.int64], evaluation: Evaluation) -> Quantized:
    """Whether a quantized model is good enough to serve.

    Args:
        predictions: its answers to the test pictures, shape (pictures,).
        evaluation: the answers in 32 bits.
    """
    pictures = len(predictions)
    right, before = int((predictions == evaluation.targets).sum()), int(evaluation.correct.sum())
    same = int((predictions == evaluation.predictions).sum())
    # in whole pictures, so that no rounding decides
    passed = before - right <= MAX_LOSS * pictures and same >= MIN_SAME * pictures
    figures = (
        f"{right / pictures:.1%} of {pictures} test pictures are right in 8 bits and {before / pictures:.1%} in 32, "
        f"and {same / pictures:.1%} get the same label"
    )
    bounds = f"up to {100 * MAX_LOSS:g} points less and at least {MIN_SAME:.0%} the same are allowed"
    return Quantized(
        accuracy=right / pictures,
        accuracy_fp32=before / pictures,
        same_label=same / pictures,
        pictures=pictures,
        passed=passed,
        reason=f"{INT8 if passed else ONNX} serves: {figures}; {bounds}.",
    )


def _not_made(why: str, evaluation: Evaluation) -> Quantized:
    return Quantized(
        accuracy=None,
        accuracy_fp32=float(evaluation.correct.mean()),
        same_label=None,
        pictures=len(evaluation.rows),
        passed=False,
        reason=f"{ONNX} serves: {why}.",
    )
