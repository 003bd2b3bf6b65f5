"""One run, from the configuration to a published version."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import torch
from pytorch_lightning.loggers import Logger

from animals.config.training import TrainConfig, TrainerConfig
from animals.data.dataset import DataSet
from animals.data.load import load_data_set
from animals.data.statistics import STATISTICS, standardize, write_statistics
from animals.errors import ConfigError
from animals.records import Card, ExportCheck, Metrics
from animals.registry import INT8, ONNX, describe
from animals.storage import Storage, open_storage
from animals.training import tracking
from animals.training.budget import Budget
from animals.training.checkpoint_sync import (
    CheckpointUploader,
    download_runs,
    open_checkpoint_storage,
    upload_remaining,
)
from animals.training.distributed import is_first_process
from animals.training.evaluation.calibration import calibrate
from animals.training.evaluation.external import find_external_test, measure_external_test
from animals.training.evaluation.figures import draw_curves, draw_evaluation
from animals.training.evaluation.metrics import (
    Evaluation,
    evaluate,
    evaluate_logits,
    measure,
    write_reference,
)
from animals.training.evaluation.predictors import torch_predictor
from animals.training.evaluation.unknowns import check_unknowns_folder, measure_unknowns
from animals.training.export.card import make_card, write_card
from animals.training.export.onnx import append_head, check_onnx, export_hub_format, export_onnx
from animals.training.export.quantize import export_int8
from animals.training.hardware import choose_device
from animals.training.model import check_names, input_spec
from animals.training.module import PictureClassifier, build_module
from animals.training.release.promote import promote_if_not_worse
from animals.training.release.publish import check_bucket, is_best, publish
from animals.training.runs import (
    MANIFEST,
    explain_full_disk,
    explain_unpublished,
    lock_run,
    log_to_file,
    open_run,
    record_split,
    without_new_pictures,
)
from animals.training.trainer import fit
from animals.training.transfer.stages import Transferred, transfer
from animals.training.weights import describe_weights

log = logging.getLogger(__name__)

CHECKED_PICTURES: Final = 64
"""Largest number of test pictures on which the exported model is compared with the trained one."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained network, before its export."""

    module: PictureClassifier
    transferred: Transferred | None
    """What transfer learning knows besides the network."""


def train(config: TrainConfig, run: Path | None = None, *, started: float | None = None) -> Card | None:
    """Read the pictures, train, evaluate, export and publish.

    Args:
        config: of the run.
        run: the folder for all files of the run; by default one under `runs/`, as `trainer.resume` says.
        started: when the command began, by `time.monotonic()`, for `trainer.minutes`; by default now.

    Returns:
        The card of the published version; None in all but the first of several processes.

    Raises:
        AnimalsError: whatever prevents the run. What can be checked before the first epoch is checked then; after
            training, the run's folder keeps all results.
    """
    budget = Budget.of(config.trainer.minutes, started)
    check_names(config.model, config.optimizer)
    choose_device(config.trainer.accelerator)
    storage = open_storage(config.bucket)
    check_bucket(storage)
    checkpoints = open_checkpoint_storage() if run is None else None
    if checkpoints:
        download_runs(checkpoints)
    run = run or open_run(config)
    with lock_run(run), log_to_file(run):
        log.info("Run %s", run)
        data_set = _load_pictures(config, run)
        with explain_full_disk(run), tracking.track_run(config.tracking, run, asdict(config)) as loggers:
            card = _fit_and_export(config, run, data_set, budget, loggers, checkpoints)
            if card is None:
                return None
            with explain_unpublished(run):
                tracking.log_model(loggers, card.version, run / "version", best=is_best(card, storage))
                publish(run, storage, promote=config.promote and not config.gate)
                if config.promote and config.gate:
                    promote_if_not_worse(storage, card.version, reason=f"published by run {run.name}, and not worse")
    if checkpoints:
        upload_remaining(checkpoints, run)
    return card


def make_version(config: TrainConfig, run: Path) -> Card:
    """Train, evaluate and export into the run's folder `version`, without publishing, tracking or a limit of time."""
    with lock_run(run), log_to_file(run):
        card = _fit_and_export(config, run, _load_pictures(config, run), Budget.of(0), [], None)
    assert card is not None  # only further processes have none  # noqa: S101
    return card


def _load_pictures(config: TrainConfig, run: Path) -> DataSet:
    """Load the pictures, and record in the run's folder how they are split and normalized."""
    check_unknowns_folder(config.data.unknowns)
    data_set = load_data_set(config.data, input_spec(config.model, config.data))
    if config.data.extra:
        data_set = without_new_pictures(run, data_set)
    data_set = standardize(data_set, config.data, config.model)
    log.info("%d labels; pictures: %s", len(data_set.labels), data_set.counts())
    if is_first_process():
        record_split(run, data_set)
        write_statistics(run / STATISTICS, data_set, config.data, config.model)
    return data_set


def _fit_and_export(
    config: TrainConfig,
    run: Path,
    data_set: DataSet,
    budget: Budget,
    loggers: list[Logger],
    checkpoints: Storage | None,
) -> Card | None:
    """Train, evaluate and export; the run's folder `version` is complete afterwards."""
    external = config.data.external_test
    external_pictures = find_external_test(
        *(external, config.data.folders, data_set.labels, data_set.spec), workers=config.data.workers
    )
    trained = _fit(config, run, data_set, budget, loggers, checkpoints)
    if trained is None:
        return None
    val, test = (_evaluate(trained, data_set, split, config.trainer) for split in ("val", "test"))
    evaluation, calibration = calibrate(val, test)
    metrics = _log_results(evaluation, run, data_set, loggers)

    version = run / "version"
    version.mkdir(exist_ok=True)
    export = _export(trained, version, data_set, evaluation)
    quantized = export_int8(version, data_set, evaluation, workers=config.trainer.workers)
    served = version / (INT8 if quantized.passed else ONNX)
    write_reference(evaluation, data_set, served, batch_size=config.trainer.batch_size, workers=config.trainer.workers)
    card = make_card(
        *(run, config, data_set, describe((run / MANIFEST).read_bytes()).sha256),
        metrics=metrics,
        temperature=evaluation.temperature,
        calibration=calibration,
        rejection=measure_unknowns(served, data_set, config.data, config.trainer, temperature=evaluation.temperature),
        export=export,
        quantized=quantized,
        weights=describe_weights(config.model),
        tuned=trained.transferred.tuned if trained.transferred else None,
        external_test=measure_external_test(served, data_set.spec, data_set.labels, external, external_pictures),
    )
    write_card(card, version)
    return card


def _fit(
    config: TrainConfig,
    run: Path,
    data_set: DataSet,
    budget: Budget,
    loggers: list[Logger],
    checkpoints: Storage | None,
) -> Trained | None:
    """Train as `config.method` says; return None in all but the first of several processes."""
    callbacks = [CheckpointUploader(checkpoints, run)] if checkpoints else []
    if config.method == "transfer":
        transferred = transfer(config, data_set, run, budget, loggers=loggers, callbacks=callbacks)
        return Trained(build_module(config, data_set, transferred.network).eval(), transferred)
    module = build_module(config, data_set)
    seconds = budget.left_for_training(module.model, data_set)
    if seconds <= 0:
        raise ConfigError(
            f"trainer.minutes={config.trainer.minutes:g} is too short: evaluation and export alone take longer. Allow "
            f"at least {config.trainer.minutes - seconds / 60:.1f}."
        )
    trained = fit(
        *(module, data_set, run, config.trainer),
        seed=config.seed,
        seconds=seconds,
        loggers=loggers,
        callbacks=callbacks,
    )
    return Trained(trained, None) if trained else None


def _evaluate(trained: Trained, data_set: DataSet, split: str, config: TrainerConfig) -> Evaluation:
    sizes = {"batch_size": config.batch_size, "workers": config.workers}
    if trained.transferred and trained.transferred.logits is not None:
        return evaluate_logits(trained.transferred.logits, data_set, split, **sizes)
    trained.module.to(choose_device(config.accelerator))
    return evaluate(torch_predictor(trained.module), data_set, split, **sizes)


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


def _export(trained: Trained, folder: Path, data_set: DataSet, evaluation: Evaluation) -> ExportCheck:
    """Export a network, and compare the result with torch on some test pictures."""
    module = trained.module.cpu().eval()
    module.model.to(memory_format=torch.contiguous_format)
    export_hub_format(module.model, data_set.labels, data_set.spec, folder)
    pixels = data_set.read_pixels(evaluation.rows[:CHECKED_PICTURES])
    transferred = trained.transferred
    if transferred and transferred.backbone:
        onnx = append_head(transferred.backbone, transferred.head.weight, transferred.head.bias, folder)
    else:
        onnx = export_onnx(module.model, data_set.spec, folder)
    # a head's logits are of cached features, which need not be torch's in 32 bits
    from_features = transferred and transferred.logits is not None
    logits = torch_predictor(module)(pixels) if from_features else evaluation.logits[: len(pixels)]
    return check_onnx(onnx, pixels, logits, data_set.spec, temperature=evaluation.temperature)
