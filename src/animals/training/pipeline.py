"""One run, from the configuration to a published version."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from pytorch_lightning.loggers import Logger
from torch import nn

from animals.config.training import TrainConfig, TrainerConfig
from animals.data.dataset import DataSet
from animals.data.load import load_data_set
from animals.data.split import read_manifest, write_manifest
from animals.data.statistics import STATISTICS, standardize, write_statistics
from animals.errors import DataError, NoModel, PromotionRefused, StorageError, StorageUnavailable
from animals.records import Card, ExportCheck, Metrics
from animals.registry import INT8, ONNX, REFERENCE, describe, read_current
from animals.storage import Storage, open_storage
from animals.training import tracking
from animals.training.checkpoint_sync import (
    CheckpointUploader,
    download_runs,
    open_checkpoint_storage,
    upload_remaining,
)
from animals.training.distributed import is_first_process
from animals.training.evaluation.calibration import calibrate
from animals.training.evaluation.figures import draw_curves, draw_evaluation
from animals.training.evaluation.metrics import Evaluation, evaluate, evaluate_served, measure, reference_table
from animals.training.evaluation.predictors import torch_predictor
from animals.training.evaluation.unknowns import check_unknowns_folder, measure_unknowns
from animals.training.export.card import make_card, write_card
from animals.training.export.onnx import check_onnx, export_hub_format, export_onnx
from animals.training.export.quantize import export_int8
from animals.training.hardware import choose_device
from animals.training.loader import evaluation_loader
from animals.training.model import check_names, input_spec
from animals.training.module import PictureClassifier, build_module
from animals.training.release.promote import promote
from animals.training.release.publish import is_best, publish
from animals.training.runs import MANIFEST, log_to_file, open_run
from animals.training.trainer import fit

log = logging.getLogger(__name__)

CHECKED_PICTURES: Final = 256
"""Largest number of test pictures on which the exported model is compared with the trained one."""


def train(config: TrainConfig, run: Path | None = None) -> Card | None:
    """Read the pictures, train, evaluate, export and publish.

    Args:
        config: of the run.
        run: the folder for all files of the run; by default one under `runs/`, as `trainer.resume` says.

    Returns:
        The card of the published version; None in all but the first of several processes.

    Raises:
        AnimalsError: whatever prevents the run. What can be checked before the first epoch is checked then; after
            training, the run's folder keeps all results.
    """
    check_names(config.model, config.optimizer)
    choose_device(config.trainer.accelerator)
    storage = open_storage(config.bucket)
    _check_bucket(storage)
    checkpoints = open_checkpoint_storage() if run is None else None
    if checkpoints:
        download_runs(checkpoints)
    run = run or open_run(config)
    with log_to_file(run):
        log.info("Run %s", run)
        data_set = _load_pictures(config, run)
        with _explain_full_disk(run), tracking.track_run(config.tracking, run, asdict(config)) as loggers:
            card = _fit_and_export(config, run, data_set, loggers, checkpoints)
            if card is None:
                return None
            with _explain_unpublished(run):
                tracking.log_model(loggers, card.version, run / "version", best=is_best(card, storage))
                publish(run, storage, promote=config.promote and not config.gate)
                if config.promote and config.gate:
                    _promote_if_not_worse(storage, card, run)
    if checkpoints:
        upload_remaining(checkpoints, run)
    return card


def _check_bucket(storage: Storage) -> None:
    """Raise now, not after the last epoch, if the bucket cannot be reached."""
    try:
        read_current(storage)
    except NoModel:
        log.info("%s has no published model yet", storage.url)


def _load_pictures(config: TrainConfig, run: Path) -> DataSet:
    """Load the pictures, and record in the run's folder how they are split and normalized."""
    check_unknowns_folder(config.data.unknowns)
    data_set = load_data_set(config.data, input_spec(config.model, config.data))
    if config.data.extra:
        data_set = _without_new_pictures(run, data_set)
    data_set = standardize(data_set, config.data, config.model)
    log.info("%d labels; pictures: %s", len(data_set.labels), data_set.counts())
    if is_first_process():
        _record_split(run, data_set)
        write_statistics(run / STATISTICS, data_set, config.data, config.model)
    return data_set


def _without_new_pictures(run: Path, data_set: DataSet) -> DataSet:
    """Leave out pictures of `data.extra` that were added since a run began that is resumed now.

    These are only trained on, and their names lead out of the data set's folder.
    """
    path = run / MANIFEST
    if not path.exists():
        return data_set
    known = {row.name for row in read_manifest(path)}
    keep = [
        row.name in known or row.split != "train" or not (row.name.startswith("../") or Path(row.name).is_absolute())
        for row in data_set.manifest
    ]
    if new := keep.count(False):
        log.info("%d pictures that were added since the run began are left out", new)
    rows = np.flatnonzero(keep)
    manifest = [data_set.manifest[row] for row in rows]
    return replace(data_set, manifest=manifest, pixel_rows=data_set.pixel_rows[rows], sizes=data_set.sizes[rows])


def _record_split(run: Path, data_set: DataSet) -> None:
    """Write which picture is in which split; a resumed run must have the same pictures in the same splits."""
    path = run / MANIFEST
    if path.exists() and read_manifest(path) != data_set.run_manifest:
        raise DataError(f"The pictures in {data_set.root} changed since {run} began with them. Start a new run.")
    write_manifest(path, data_set.run_manifest)


def _fit_and_export(
    config: TrainConfig, run: Path, data_set: DataSet, loggers: list[Logger], checkpoints: Storage | None
) -> Card | None:
    """Train, evaluate and export; the run's folder `version` is complete afterwards."""
    callbacks = [CheckpointUploader(checkpoints, run)] if checkpoints else []
    module = build_module(config, data_set)
    trained = fit(module, data_set, run, config.trainer, seed=config.seed, loggers=loggers, callbacks=callbacks)
    if trained is None:
        return None
    val, test = (_evaluate(trained, data_set, split, config.trainer) for split in ("val", "test"))
    evaluation, calibration = calibrate(val, test)
    metrics = _log_results(evaluation, run, data_set, loggers)

    version = run / "version"
    version.mkdir(exist_ok=True)
    export = _export(trained.model, version, data_set, evaluation)
    quantized = export_int8(version, data_set, evaluation, workers=config.trainer.workers)
    served = version / (INT8 if quantized.passed else ONNX)
    _write_reference(evaluation, data_set, config.trainer, served)
    card = make_card(
        *(run, config, data_set, describe((run / MANIFEST).read_bytes()).sha256),
        metrics=metrics,
        temperature=evaluation.temperature,
        calibration=calibration,
        rejection=measure_unknowns(served, data_set, config.data, config.trainer, temperature=evaluation.temperature),
        export=export,
        quantized=quantized,
    )
    write_card(card, version)
    return card


def _evaluate(module: PictureClassifier, data_set: DataSet, split: str, config: TrainerConfig) -> Evaluation:
    module.to(choose_device(config.accelerator))
    return evaluate(torch_predictor(module), data_set, split, batch_size=config.batch_size, workers=config.workers)


def _log_results(evaluation: Evaluation, run: Path, data_set: DataSet, loggers: list[Logger]) -> Metrics:
    """Draw the figures, and log metrics, figures and mistakes."""
    metrics = measure(evaluation, data_set.labels)
    figures = [
        draw_curves(run / "figures", run / "metrics" / "metrics.csv"),
        *draw_evaluation(run / "figures", evaluation, data_set),
    ]
    summary = {"test/accuracy": metrics.accuracy, "test/f1_macro": metrics.f1_macro, "test/loss": metrics.loss}
    tracking.log_results(loggers, summary=summary, figures=figures)
    tracking.log_mistakes(loggers, evaluation, data_set)
    return metrics


def _export(model: nn.Module, folder: Path, data_set: DataSet, evaluation: Evaluation) -> ExportCheck:
    model = model.cpu().eval().to(memory_format=torch.contiguous_format)
    export_hub_format(model, data_set.labels, data_set.spec, folder)
    onnx = export_onnx(model, data_set.spec, folder)
    pixels, _ = next(iter(evaluation_loader(data_set, "test", batch_size=CHECKED_PICTURES, workers=0)))
    return check_onnx(
        onnx, pixels.numpy(), evaluation.logits[: len(pixels)], data_set.spec, temperature=evaluation.temperature
    )


def _write_reference(evaluation: Evaluation, data_set: DataSet, config: TrainerConfig, served: Path) -> None:
    """Write the table that monitoring compares with: the answers of the model file that will serve."""
    sizes = {"batch_size": config.batch_size, "workers": config.workers}
    served_evaluation, projections = evaluate_served(evaluation, served, data_set, "test", **sizes)
    reference_table(served_evaluation, data_set, projections).to_parquet(served.with_name(REFERENCE), index=False)


def _promote_if_not_worse(storage: Storage, card: Card, run: Path) -> None:
    """Promote the version; that a worse one is published without being promoted does not fail the run."""
    try:
        promote(storage, card.version, reason=f"published by run {run.name}, and not worse")
    except PromotionRefused as error:
        log.warning("%s", error)


@contextmanager
def _explain_full_disk(run: Path) -> Iterator[None]:
    """Say how to resume when the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise StorageUnavailable(
            f"The disk is full. The checkpoint of the last whole epoch is in {run}: free some space and resume with "
            "the same command and trainer.resume=auto"
        ) from error


@contextmanager
def _explain_unpublished(run: Path) -> Iterator[None]:
    """Say how to publish the run when the bucket cannot be reached after training."""
    try:
        yield
    except StorageError as error:
        raise type(error)(
            f"{error}\nNothing is lost: the run stays in {run}. Publish it with: invoke publish {run}"
        ) from error
