"""Quantization of the exported model to 8-bit integers, which serves where it is as accurate as in 32 bits."""

import logging
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.checker import ValidationError
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from animals.data.dataset import DataSet
from animals.errors import BrokenModel, NotConvertible
from animals.inference import ONNX_ERRORS, ONNX_INPUT, ONNX_PROJECTION
from animals.preprocess import InputSpec, normalize
from animals.records import Quantized
from animals.registry import INT8, ONNX
from animals.training.evaluation.metrics import Evaluation, evaluate
from animals.training.evaluation.predictors import BATCH, onnx_predictor

log = logging.getLogger(__name__)

CALIBRATION: Final = 128
"""Pictures, at most, to find the range of each activation on; ten times as many give no better model."""

CALIBRATION_BATCH: Final = 16
"""Pictures whose lowest and highest activations are found together."""

MAX_LOSS: Final = 0.005
"""Accuracy that may be lost."""

MIN_SAME: Final = 0.98
"""Share of the test pictures that must get the same label."""

# the quantizer raises these for a graph that it does not support, without a common base
_UNKNOWN_GRAPH: Final = (
    *ONNX_ERRORS,
    *(TypeError, RuntimeError, AttributeError, KeyError, AssertionError, ValidationError),
    BrokenModel,
)


def export_int8(folder: Path, data_set: DataSet, evaluation: Evaluation, *, workers: int) -> Quantized:
    """Write `model.int8.onnx` beside `model.onnx`, if it is good enough to serve.

    Args:
        folder: of `model.onnx`.
        data_set: calibrates with training pictures, or validation pictures where those are only streamed.
        evaluation: predictions of the model in 32 bits for the test pictures.
        workers: processes that decode when nothing is cached.

    Returns:
        The measurements. A model that cannot be quantized, or loses too much accuracy, serves in 32 bits.
    """
    (folder / INT8).unlink(missing_ok=True)  # of a run that was interrupted here
    with TemporaryDirectory() as temporary:
        path = Path(temporary) / INT8
        try:
            quantize(folder / ONNX, path, calibration_pictures(data_set), data_set.spec)
            predict = onnx_predictor(path, data_set.spec)
            in_8_bits = evaluate(predict, data_set, "test", batch_size=BATCH, workers=workers)
            result = decide(in_8_bits.predictions, evaluation)
        except NotConvertible as error:
            result = _not_convertible(str(error), evaluation)
        if result.passed:
            shutil.move(path, folder / INT8)
    log.log(logging.INFO if result.passed else logging.WARNING, result.reason)
    return result


def calibration_pictures(data_set: DataSet) -> NDArray[np.uint8]:
    """Return pixels of random training pictures, shape (pictures, side, side, 3), the same ones each time."""
    rows = data_set.rows("val" if data_set.shards else "train")
    chosen = np.random.default_rng(0).permutation(rows)[:CALIBRATION]
    return data_set.read_pixels(chosen)


def quantize(model: Path, out: Path, pixels: NDArray[np.uint8], spec: InputSpec) -> None:
    """Write a model that computes in 8-bit integers.

    Weights have 7 of the 8 bits. CPUs without VNNI add two products of 8 bits in 16, where those of 8-bit weights
    overflow: the model would predict something else there than here, where it is measured. It costs next to nothing,
    as each channel of a weight has a scale of its own. That and the moving average of the activations' ranges, which
    single bright pixels do not decide, came closest to the model in 32 bits: docs/design/export.md.

    Args:
        model: the ONNX file in 32 bits.
        out: the file to write.
        pixels: to calibrate with, shape (pictures, side, side, 3).
        spec: how they are normalized.

    Raises:
        NotConvertible: the quantizer does not support this model.
    """
    with TemporaryDirectory() as temporary:
        prepared = Path(temporary) / ONNX
        logging.disable(logging.INFO)  # it logs a line for each adjusted channel, to the root logger
        try:
            # symbolic shapes are for sequences of any length; here only the number of pictures is open
            quant_pre_process(model, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                out,
                PictureReader(pixels, spec),
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=True,
                nodes_to_exclude=_projection_nodes(prepared),
                extra_options={"CalibMovingAverage": True},
            )
            onnx_predictor(out, spec)(pixels[:1])
        except _UNKNOWN_GRAPH as error:
            raise NotConvertible(f"ONNX Runtime cannot bring this model to 8 bits ({_first_line(error)})") from error
        finally:
            logging.disable(logging.NOTSET)


def _projection_nodes(model: Path) -> list[str]:
    """Return the names of the nodes that give the projection.

    In 8 bits it would be clipped to the range of the calibration pictures, and drift is what lies beyond.
    """
    return [node.name for node in onnx.load(model).graph.node if ONNX_PROJECTION in node.output]


def _first_line(error: Exception) -> str:
    """Return the start of a message that may be a page long."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


class PictureReader(CalibrationDataReader):  # type: ignore[misc] # it has no types
    """Batches of normalized pictures for the quantizer.

    Args:
        pixels: shape (pictures, side, side, 3).
        spec: how they are normalized.
    """

    def __init__(self, pixels: NDArray[np.uint8], spec: InputSpec) -> None:
        self._batches = (
            {ONNX_INPUT: normalize(pixels[first : first + CALIBRATION_BATCH], spec)}
            for first in range(0, len(pixels), CALIBRATION_BATCH)
        )

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch, or None at the end."""
        return next(self._batches, None)


def decide(predictions: NDArray[np.int64], evaluation: Evaluation) -> Quantized:
    """Decide whether a quantized model is good enough to serve.

    Args:
        predictions: its labels of the test pictures, shape (pictures,).
        evaluation: the predictions in 32 bits.
    """
    pictures = len(predictions)
    correct, before = int((predictions == evaluation.targets).sum()), int(evaluation.correct.sum())
    same = int((predictions == evaluation.predictions).sum())
    # in whole pictures, so that rounding decides nothing
    passed = before - correct <= MAX_LOSS * pictures and same >= MIN_SAME * pictures
    figures = (
        f"{correct / pictures:.1%} of {pictures} test pictures are right in 8 bits and {before / pictures:.1%} in 32, "
        f"and {same / pictures:.1%} get the same label"
    )
    bounds = f"up to {100 * MAX_LOSS:g} points less and at least {MIN_SAME:.0%} the same are allowed"
    return Quantized(
        accuracy=correct / pictures,
        accuracy_fp32=before / pictures,
        same_label=same / pictures,
        pictures=pictures,
        passed=passed,
        reason=f"{INT8 if passed else ONNX} serves: {figures}; {bounds}.",
    )


def _not_convertible(reason: str, evaluation: Evaluation) -> Quantized:
    return Quantized(
        accuracy=None,
        accuracy_fp32=float(evaluation.correct.mean()),
        same_label=None,
        pictures=len(evaluation.rows),
        passed=False,
        reason=f"{ONNX} serves: {reason}.",
    )
