"""One run from the configuration to a published version."""

import logging
from pathlib import Path
from typing import Final

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger
from torch import nn

from animals.config.training import TrainConfig
from animals.data.load import DataSet, load_data_set
from animals.data.split import write_manifest
from animals.errors import NoModel, StorageError
from animals.records import Card, ExportCheck, Metrics
from animals.registry import REFERENCE, read_current
from animals.storage import Storage, open_storage
from animals.training import tracking
from animals.training.card import make_card, write_card
from animals.training.evaluate import Evaluation, evaluate, measure, plot_confusion, reference_table
from animals.training.export import check_onnx, export_hub_format, export_onnx
from animals.training.fit import fit
from animals.training.hardware import choose_device
from animals.training.loader import make_loader
from animals.training.model import build_model, check_names, input_spec
from animals.training.module import PictureClassifier
from animals.training.publish import publish

log = logging.getLogger(__name__)

CHECKED: Final = 256
"""Test pictures, at most, on which the exported model is held against the trained one."""


def train(config: TrainConfig, run: Path) -> Card:
    """Read the pictures, train, evaluate, export and publish.

    Args:
        config: what to do.
        run: a folder of its own; everything that the run makes is kept there.

    Returns:
        The card of the published version.

    Raises:
        AnimalsError: whatever stands in the way. What cannot work is found before the first epoch where it can be;
            after training, the run's folder keeps all that was made.
    """
    check_names(config.model, config.optimizer)
    choose_device(config.trainer.accelerator)
    log.info("Run %s", run)
    storage = open_storage(config.bucket)
    _check_bucket(storage)
    data_set = load_data_set(config.data, input_spec(config.model, config.data))
    log.info("%d labels; pictures: %s", len(data_set.labels), data_set.counts())
    run.mkdir(parents=True, exist_ok=True)
    with tracking.tracked(config, run) as loggers:
        card = _train(config, run, data_set, loggers)
        tracking.log_model(loggers, card.version, run / "version")
        _publish(run, storage, promote=config.promote)
    return card


def _check_bucket(storage: Storage) -> None:
    """Find out now, not after the last epoch, that the bucket cannot be reached."""
    try:
        read_current(storage)
    except NoModel:
        log.info("%s has no published model yet", storage.url)


def _train(config: TrainConfig, run: Path, data_set: DataSet, loggers: list[Logger]) -> Card:
    manifest_sha256 = write_manifest(run / "manifest.csv", data_set.manifest)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    model = build_model(config.model, len(data_set.labels), config.data.side)
    module = PictureClassifier(model, config, data_set.spec)
    fit(module, data_set, config, run, loggers)
    evaluation, metrics = _evaluate(module, config, run, data_set, loggers)
    check = _export(module.model, run, data_set, evaluation)
    card = make_card(run, config, data_set, manifest_sha256, metrics, check)
    write_card(card, run / "version")
    return card


def _evaluate(
    module: PictureClassifier, config: TrainConfig, run: Path, data_set: DataSet, loggers: list[Logger]
) -> tuple[Evaluation, Metrics]:
    settings = config.trainer
    module.to(choose_device(settings.accelerator))
    evaluation = evaluate(module, data_set, "test", batch_size=settings.batch_size, workers=settings.workers)
    metrics = measure(evaluation, data_set.labels)
    figure = run / "figures" / "confusion_matrix.png"
    plot_confusion(evaluation, data_set.labels, figure)
    (run / "version").mkdir(exist_ok=True)
    reference_table(evaluation, data_set).to_parquet(run / "version" / REFERENCE, index=False)
    summary = {"test/accuracy": metrics.accuracy, "test/f1_macro": metrics.f1_macro, "test/loss": metrics.loss}
    tracking.log_results(loggers, summary=summary, figures=[figure])
    return evaluation, metrics


def _export(model: nn.Module, run: Path, data_set: DataSet, evaluation: Evaluation) -> ExportCheck:
    folder = run / "version"
    model = model.cpu().eval().to(memory_format=torch.contiguous_format)
    export_hub_format(model, data_set.labels, data_set.spec, folder)
    onnx = export_onnx(model, data_set.spec, folder)
    pixels, _ = next(iter(make_loader(data_set, "test", batch_size=CHECKED, workers=0)))
    return check_onnx(onnx, pixels.numpy(), evaluation.logits[: len(pixels)], data_set.spec)


def _publish(run: Path, storage: Storage, *, promote: bool) -> None:
    try:
        publish(run, storage, promote=promote)
    except StorageError as error:
        hint = f"Nothing is lost: the run stays in {run}. Finish it with: invoke publish {run}"
        raise type(error)(f"{error}\n{hint}") from error
