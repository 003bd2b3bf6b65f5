"""One run from the configuration to a published version."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from torch import nn

from animals.config.training import TrainConfig
from animals.data.load import DataSet, load_data_set
from animals.data.split import read_manifest, write_manifest
from animals.data.statistics import STATISTICS, standardized, write_statistics
from animals.errors import DataError, NoModel, PromotionRefused, StorageError, StorageUnavailable
from animals.records import Calibration, Card, ExportCheck, Metrics
from animals.registry import INT8, ONNX, REFERENCE, describe, read_current
from animals.storage import Storage, open_storage
from animals.training import tracking
from animals.training.checkpoint_sync import Mirror, bring_runs, keep_rest, open_mirror
from animals.training.distributed import is_first_process
from animals.training.evaluation.calibration import calibrate
from animals.training.evaluation.figures import draw_curves, draw_evaluation
from animals.training.evaluation.metrics import Evaluation, evaluate_served, evaluate, measure, reference_table
from animals.training.evaluation.predictors import torch_predictor
from animals.training.evaluation.unknowns import check_unknowns_folder, measure_unknowns
from animals.training.export.card import make_card, write_card
from animals.training.export.onnx import check_onnx, export_hub_format, export_onnx
from animals.training.export.quantize import export_int8
from animals.training.hardware import choose_device
from animals.training.loader import evaluation_loader
from animals.training.model import build_model, check_names, input_spec
from animals.training.module import PictureClassifier
from animals.training.release import promote
from animals.training.release.publish import is_best, publish
from animals.training.runs import MANIFEST, logged, open_run
from animals.training.trainer import fit

log = logging.getLogger(__name__)

CHECKED: Final = 256
"""Test pictures, at most, on which the exported model is held against the trained one."""


def train(config: TrainConfig, run: Path | None = None) -> Card | None:
    """Read the pictures, train, evaluate, export and publish.

    Args:
        config: what to do.
        run: a folder of its own, in which everything that the run makes is kept; by default one under `runs/`, as
            `trainer.resume` says.

    Returns:
        The card of the published version; None in all but the first of several processes.

    Raises:
        AnimalsError: whatever stands in the way. What cannot work is found before the first epoch where it can be;
            after training, the run's folder keeps all that was made.
    """
    check_names(config.model, config.optimizer)
    choose_device(config.trainer.accelerator)
    storage = open_storage(config.bucket)
    _check_bucket(storage)
    mirror = open_mirror() if run is None else None
    if mirror:
        bring_runs(mirror)
    run = run or open_run(config)
    with logged(run):
        card = _run(config, run, storage, mirror)
    if mirror and card:
        keep_rest(mirror, run)
    return card


def _run(config: TrainConfig, run: Path, storage: Storage, mirror: Storage | None) -> Card | None:
    log.info("Run %s", run)
    check_unknowns_folder(config.data.others)
    found = load_data_set(config.data, input_spec(config.model, config.data))
    data_set = standardized(_as_it_began(run, found) if config.data.extra else found, config)
    log.info("%d labels; pictures: %s", len(data_set.labels), data_set.counts())
    if is_first_process():
        _remember_split(run, data_set)
        write_statistics(run / STATISTICS, data_set, config)
    with _disk_full(run), tracking.tracked(config, run) as loggers:
        card = _train(config, run, data_set, loggers, [Mirror(mirror, run)] if mirror else [])
        if card is None:
            return None
        with _nothing_lost(run):
            tracking.log_model(loggers, card.version, run / "version", best=is_best(card, storage))
            publish(run, storage, promote=config.promote and not config.gate)
            if config.promote and config.gate:
                _promote_if_not_worse(storage, card, run)
    return card


def _promote_if_not_worse(storage: Storage, card: Card, run: Path) -> None:
    """A version that is worse has been published nevertheless: that it does not serve is no failure of the run."""
    try:
        promote.promote(storage, card.version, reason=f"published by run {run.name}, and not worse")
    except PromotionRefused as error:
        log.warning("%s", error)


def _as_it_began(run: Path, data_set: DataSet) -> DataSet:
    """Without the pictures of `data.extra` that came since a run began that now goes on.

    They are those that are only trained on, and whose names lead out of the data set's folder.
    """
    path = run / MANIFEST
    if not path.exists():
        return data_set
    before = {row.name for row in read_manifest(path)}
    known = [
        row.name in before or row.split != "train" or not (row.name.startswith("../") or Path(row.name).is_absolute())
        for row in data_set.manifest
    ]
    if new := known.count(False):
        log.info("%d pictures that came since the run began are left out", new)
    rows = np.flatnonzero(known)
    manifest = [data_set.manifest[row] for row in rows]
    return replace(data_set, manifest=manifest, places=data_set.places[rows], sizes=data_set.sizes[rows])


def _remember_split(run: Path, data_set: DataSet) -> None:
    """Write which picture is in which split; a run that goes on must find the same pictures in the same splits."""
    path = run / MANIFEST
    if path.exists() and read_manifest(path) != data_set.remembered:
        raise DataError(f"The pictures in {data_set.root} changed since {run} began with them. Start a new run.")
    write_manifest(path, data_set.remembered)


@contextmanager
def _disk_full(run: Path) -> Iterator[None]:
    """A full disk is no fault of the program."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise StorageUnavailable(
            f"The disk is full. What was trained up to the last whole epoch is in {run}: make room and go on with the "
            "same command and trainer.resume=auto"
        ) from error


def _check_bucket(storage: Storage) -> None:
    """Find out now, not after the last epoch, that the bucket cannot be reached."""
    try:
        read_current(storage)
    except NoModel:
        log.info("%s has no published model yet", storage.url)


def _train(
    config: TrainConfig, run: Path, data_set: DataSet, loggers: list[Logger], watchers: list[Callback]
) -> Card | None:
    pl.seed_everything(config.seed, workers=True, verbose=False)
    model = build_model(config.model, len(data_set.labels), config.data.side)
    module = fit(model, data_set, config, run, loggers, watchers)
    if module is None:
        return None
    evaluation, calibration = _evaluate(module, config, data_set)
    metrics = _keep(evaluation, run, data_set, loggers)
    check = _export(module.model, run, data_set, evaluation)
    quantized = export_int8(run / "version", data_set, evaluation, workers=config.trainer.workers)
    served = run / "version" / (INT8 if quantized.passed else ONNX)
    _write_reference(evaluation, data_set, config, served)
    temperature = evaluation.temperature
    rejection = measure_unknowns(served, data_set, config.data, config.trainer, temperature=temperature)
    card = make_card(
        *(run, config, data_set, describe((run / MANIFEST).read_bytes()).sha256),
        metrics=metrics,
        temperature=temperature,
        calibration=calibration,
        rejection=rejection,
        export=check,
        quantized=quantized,
    )
    write_card(card, run / "version")
    return card


def _evaluate(module: PictureClassifier, config: TrainConfig, data_set: DataSet) -> tuple[Evaluation, Calibration]:
    settings = config.trainer
    module.to(choose_device(settings.accelerator))
    predict, sizes = torch_predictor(module), {"batch_size": settings.batch_size, "workers": settings.workers}
    val, test = (evaluate(predict, data_set, split, **sizes) for split in ("val", "test"))
    return calibrate(val, test)


def _keep(evaluation: Evaluation, run: Path, data_set: DataSet, loggers: list[Logger]) -> Metrics:
    """Write and show what was found."""
    metrics = measure(evaluation, data_set.labels)
    figures = [
        draw_curves(run / "figures", run / "metrics" / "metrics.csv"),
        *draw_evaluation(run / "figures", evaluation, data_set),
    ]
    (run / "version").mkdir(exist_ok=True)
    summary = {"test/accuracy": metrics.accuracy, "test/f1_macro": metrics.f1_macro, "test/loss": metrics.loss}
    tracking.log_results(loggers, summary=summary, figures=figures)
    tracking.log_mistakes(loggers, evaluation, data_set)
    return metrics


def _export(model: nn.Module, run: Path, data_set: DataSet, evaluation: Evaluation) -> ExportCheck:
    folder = run / "version"
    model = model.cpu().eval().to(memory_format=torch.contiguous_format)
    export_hub_format(model, data_set.labels, data_set.spec, folder)
    onnx = export_onnx(model, data_set.spec, folder)
    pixels, _ = next(iter(evaluation_loader(data_set, "test", batch_size=CHECKED, workers=0)))
    return check_onnx(
        onnx, pixels.numpy(), evaluation.logits[: len(pixels)], data_set.spec, temperature=evaluation.temperature
    )


def _write_reference(evaluation: Evaluation, data_set: DataSet, config: TrainConfig, served: Path) -> None:
    """Write what monitoring compares with: the answers of the file that will serve."""
    sizes = {"batch_size": config.trainer.batch_size, "workers": config.trainer.workers}
    served_evaluation, projections = evaluate_served(evaluation, served, data_set, "test", **sizes)
    reference_table(served_evaluation, data_set, projections).to_parquet(served.with_name(REFERENCE), index=False)


@contextmanager
def _nothing_lost(run: Path) -> Iterator[None]:
    """Say how to go on when the bucket is out of reach after training."""
    try:
        yield
    except StorageError as error:
        hint = f"Nothing is lost: the run stays in {run}. Finish it with: invoke publish {run}"
        raise type(error)(f"{error}\n{hint}") from error
