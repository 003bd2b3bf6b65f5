"""The model card for people: the README of a version, in the form that the Hugging Face hub shows.

All of it comes from the version's record, and each sentence holds for any set of pictures.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any, Final

import timm
from huggingface_hub import EvalResult, ModelCardData

from animals.config.compose import read_run_config
from animals.config.data import DataConfig
from animals.config.training import AugmentConfig, ModelConfig, TrainConfig
from animals.markdown import table
from animals.records import Card, ExportCheck, Rejection, Training
from animals.training.export.model_card_code import how_to_use

TASK: Final = "image-classification"


def card_for_people(card: Card) -> str:
    """The model card in Markdown, with the metadata block of the Hugging Face hub."""
    config = read_run_config(card)
    sections = (
        f"---\n{metadata(card, config).to_yaml()}\n---",
        f"# {card.version}",
        _summary(card),
        f"## What it is for\n\n{_purpose(card)}",
        f"## Training data\n\n{_data(card, config.data)}",
        f"## Training\n\n{_training(card, config)}",
        f"## Evaluation\n\n{_evaluation(card)}",
        f"## Limits and biases\n\n{_limits(card)}",
        f"## Use\n\n{how_to_use(card)}",
        f"## Where it comes from\n\n{_origin(card, config.license)}",
    )
    return "\n\n".join(sections) + "\n"


def _summary(card: Card) -> str:
    labels = ", ".join(map(_code, card.labels))
    return f"A {card.architecture} that says which of {len(card.labels)} labels fits a picture best: {labels}."


def metadata(card: Card, config: TrainConfig) -> ModelCardData:
    """What the hub reads: how the model is loaded, what it does, and how well."""
    title = _title(config.data)
    accuracy = EvalResult(
        task_type=TASK,
        dataset_type=re.sub(r"\W+", "-", title.lower()).strip("-") or "pictures",
        dataset_name=title,
        dataset_split="test",
        metric_type="accuracy",
        metric_name="Accuracy",
        metric_value=card.metrics.accuracy,
    )
    f1_macro = replace(
        accuracy,
        metric_type="f1",
        metric_name="Macro F1",
        metric_value=card.metrics.f1_macro,
        metric_args={"average": "macro"},
    )
    return ModelCardData(
        model_name=card.version,
        license=config.license or None,
        library_name="timm",
        pipeline_tag=TASK,
        tags=[TASK, "timm", "onnx"],
        metrics=["accuracy", "f1"],
        base_model=_base_model(config.model),
        eval_results=[accuracy, f1_macro],
    )


def _title(data: DataConfig) -> str:
    return data.title or re.split(r"[/\\]", data.root.rstrip("/\\"))[-1] or "pictures"


def _base_model(model: ModelConfig) -> str | None:
    """The hub's name of what the training began from; None where it began from nothing, or timm does not say."""
    known = timm.get_pretrained_cfg(model.name) if model.pretrained else None
    return known.hf_hub_id or None if known else None


def _purpose(card: Card) -> str:
    rejection = card.rejection
    none = f" Where the likeliest has under {rejection.threshold:.1%}, take it that none fits." if rejection else ""
    return f"""\
It is for pictures like those that it was trained on, each with one of its labels on it. It answers with a probability
for each label.{none}

It is not for pictures of anything else, nor for several things on one picture, counting them or finding where they
are; and not for decisions that can hurt somebody, unless a person looks too."""


def _data(card: Card, data: DataConfig) -> str:
    split = card.split
    counts = ", ".join(f"{count} {name}" for name, count in split.counts.items())
    rows = [
        ("Pictures", _text(_title(data))),
        ("Read from", _code(data.root)),
        ("Described in", _code(data.about) if data.about else "nothing that the run was told of (`data.about`)"),
        ("Split", f"{counts}; drawn label by label with seed {split.seed}"),
    ]
    if data.extra:
        rows.append(("Trained on too", _code(data.extra)))
    rows += [
        ("Input", f"{card.input.side}x{card.input.side} RGB, {card.input.resize}, {card.input.interpolation}"),
        ("SHA-256 of the list of all pictures", f"`{split.manifest_sha256}`"),
        ("SHA-256 of the test pictures' list", f"`{split.test_sha256 or 'unknown'}`"),
    ]
    return table(("", ""), rows)


def _training(card: Card, config: TrainConfig) -> str:
    optimizer, trainer, scheduler = config.optimizer, config.trainer, config.scheduler
    base = _base_model(config.model) or "weights that timm has"
    start = f"fine-tuned from {base}" if config.model.pretrained else "from scratch"
    rows = [
        ("Network", f"{card.architecture}, {start}"),
        ("Optimizer", optimizer.name),
        ("Learning rate, weight decay", f"{optimizer.lr:g}, {optimizer.weight_decay:g}"),
        ("Schedule", f"{scheduler.name}, {scheduler.warmup:.0%} of the steps warm up"),
        ("Batch", f"{trainer.batch_size} pictures, label smoothing {trainer.label_smoothing:g}"),
        ("Varied by", ", ".join(f"{name} {_value(value)}" for name, value in _changes(config.augment))),
        ("Seed", str(config.seed)),
        *(_course(card.training, trainer.epochs) if card.training else ()),
    ]
    return f"{table(('', ''), rows)}\n\nAll settings are under `config` in `card.json`."


def _changes(augment: AugmentConfig) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in asdict(augment).items() if value not in (0, "none")]


def _course(training: Training, planned: int) -> Iterable[tuple[str, str]]:
    yield "Epochs", f"{training.epochs} of {planned}; the weights are those after number {training.best_epoch}"
    yield "Time", f"{training.seconds / 60:.1f} minutes in {training.precision} on {training.hardware}"


def _evaluation(card: Card) -> str:
    metrics = card.metrics
    rows = [
        ("Test accuracy", f"{metrics.accuracy:.1%} of {metrics.pictures} pictures"),
        ("F1, macro and weighted", f"{metrics.f1_macro:.3f}, {metrics.f1_weighted:.3f}"),
        ("Test loss", f"{metrics.loss:.3f}"),
        ("Calibration", _calibration_line(card)),
        ("None of the labels", _rejection_line(card.rejection)),
        ("ONNX against torch", _export_line(card.export)),
        ("Serves", card.quantized.reason if card.quantized else card.serving_file),
    ]
    trained = card.training.labels if card.training else {}
    labels = [
        (
            *(_text(label), f"{of.precision:.1%}", f"{of.recall:.1%}", f"{of.f1:.1%}"),
            *(str(of.pictures), str(trained.get(label, ""))),
        )
        for label, of in metrics.per_label.items()
    ]
    columns = ("label", "precision", "recall", "F1", "test pictures", "trained on")
    return f"""\
The test pictures were looked at once, after training. The figures are those of `model.safetensors`.

{table(("", ""), rows)}

{table(columns, labels)}"""


def _limits(card: Card) -> str:
    label, of = min(card.metrics.per_label.items(), key=lambda item: item[1].recall)
    lines = [
        "It gives one of its labels for every picture, also for one that shows none of them: little confidence tells "
        "only some of those, and pictures of another kind than those asked about above it may tell worse.",
        "It knows pictures like those that it was trained on: one trained on drawings does not know photographs. The "
        "test pictures come from the same collection, so that the figures say nothing of other cameras, places and "
        "times.",
        f"No label is recognized less often than {_code(label)}: in {of.recall:.1%} of {of.pictures} test pictures. "
        "The fewer there are, the less sure is that; `invoke evaluate` gives intervals, and measures spoiled pictures.",
    ]
    if card.training and (few := min(card.training.labels.values())) < (many := max(card.training.labels.values())):
        lines.append(f"Labels were not trained alike: on {few} pictures of the rarest, {many} of the most frequent.")
    lines.append(
        "Nobody has examined what the pictures leave out, or which backgrounds go with which label: where those tell "
        "the label, the model may have learned them."
    )
    return "\n".join(f"- {line}" for line in lines)


def _origin(card: Card, licence: str) -> str:
    rows = [
        ("Made", f"{card.created:%Y-%m-%d %H:%M} UTC by run {card.run}, commit {card.git_commit or 'unknown'}"),
        ("With", ", ".join(f"{name} {version}" for name, version in card.packages.items())),
        ("Licence", licence or "none was named (`license=…`)"),
    ]
    return f"{table(('', ''), rows)}\n\n`card.json` holds all of this for programs, and the checksum of each file."


def _calibration_line(card: Card) -> str:
    if card.calibration is None:
        return "none"
    before, after = card.calibration.ece_before, card.calibration.ece_after
    return f"temperature {card.temperature:.2f}, expected calibration error {after:.1%} ({before:.1%} without)"


def _rejection_line(rejection: Rejection | None) -> str:
    if rejection is None:
        return "not measured"
    return (
        f"under {rejection.threshold:.1%} confidence, which {1 - rejection.accepted:.1%} of {rejection.pictures} test "
        f"pictures have and {rejection.refused:.1%} of {rejection.others} pictures of none ({_text(rejection.source)})"
    )


def _export_line(check: ExportCheck) -> str:
    return (
        f"{check.same_label} of {check.pictures} test pictures have the same label, probabilities differ by up to "
        f"{check.max_probability_difference:.1e}"
    )


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _code(text: str) -> str:
    """Text as it is, where it has a comma too."""
    return _text(text) if "`" in text else f"`{text}`"


def _text(text: str) -> str:
    """Text of which nothing is taken for Markdown."""
    return re.sub(r"([\\`*_\[\]<>#$~])", r"\\\1", text)
