"""The model card: the README of a version, in the form that the Hugging Face hub shows.

All of it comes from the version's record, and each sentence holds for any set of pictures.
"""

import re
from dataclasses import asdict, replace
from typing import Any, Final

import timm
from huggingface_hub import EvalResult, ModelCardData

from animals.config.compose import read_run_config
from animals.config.data import DataConfig
from animals.config.training import AugmentConfig, ModelConfig, TrainConfig
from animals.markdown import table
from animals.records import Card, ExternalTest, StartingWeights
from animals.training.export.model_card_code import how_to_use
from animals.training.weights import HUB, PACKAGE

TASK: Final = "image-classification"


def format_model_card(card: Card) -> str:
    """Return the model card in Markdown, with the metadata block of the Hugging Face hub."""
    config = read_run_config(card)
    sections = (
        f"---\n{metadata(card, config).to_yaml()}\n---",
        f"# {card.version}",
        _summary(card),
        f"## Intended use\n\n{_purpose(card)}",
        f"## Training data\n\n{_data(card, config.data)}",
        f"## Training\n\n{_training(card, config)}",
        f"## Evaluation\n\n{_evaluation(card)}",
        f"## Limits and biases\n\n{_limits(card)}",
        f"## Use\n\n{how_to_use(card)}",
        f"## Origin\n\n{_origin(card, config.license)}",
    )
    return "\n\n".join(sections) + "\n"


def _summary(card: Card) -> str:
    labels = ", ".join(map(_code, card.labels))
    return f"A {card.architecture} that classifies pictures by {len(card.labels)} labels: {labels}."


def metadata(card: Card, config: TrainConfig) -> ModelCardData:
    """Return the metadata block: library, task, license, base model and test results."""
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
    """Return the hub's name of the pretrained weights; None without any, or where they are not the hub's."""
    known = timm.get_pretrained_cfg(model.name) if model.pretrained and model.weights in ("", HUB, PACKAGE) else None
    return known.hf_hub_id or None if known else None


def _purpose(card: Card) -> str:
    return f"""\
The model is for pictures like those that it was trained on, each of one of its labels. It returns a probability for
each label. Where the highest is below {card.rejection.threshold:.1%}, count the picture as none of the labels.

It is not for pictures of anything else, nor for pictures of several things, nor to count or to locate them. Do not use
it for decisions that can harm a person, unless a human checks each of them."""


def _data(card: Card, data: DataConfig) -> str:
    split = card.split
    counts = ", ".join(f"{count} {name}" for name, count in split.counts.items())
    rows = [
        ("Pictures", _text(_title(data))),
        ("Read from", _code(data.root)),
        ("Described in", _code(data.about) if data.about else "not given (`data.about`)"),
        ("Split", f"{counts}; stratified by label, with seed {split.seed}"),
    ]
    if data.extra:
        rows.append(("Additional training pictures", _code(data.extra)))
    rows += [
        ("Input", f"{card.input.side}x{card.input.side} RGB, {card.input.resize}, {card.input.interpolation}"),
        ("SHA-256 of the list of all pictures", f"`{split.manifest_sha256}`"),
        ("SHA-256 of the list of test pictures", f"`{split.test_sha256}`"),
    ]
    return table(("", ""), rows)


def _training(card: Card, config: TrainConfig) -> str:
    optimizer, trainer, scheduler = config.optimizer, config.trainer, config.scheduler
    training = card.training
    seconds = f"{training.seconds / 60:.1f} minutes in {training.precision} on {training.hardware}"
    if training.frozen:
        rows = [
            ("Network", f"{card.architecture}, frozen; its weights: {_describe_weights(training.weights)}"),
            ("Head", "a linear layer on its pooled features, by L-BFGS"),
            ("Time", seconds),
        ]
        return f"{table(('', ''), rows)}\n\nAll settings are under `config` in `card.json`."
    start = f"fine-tuned from {_describe_weights(training.weights)}" if training.weights else "from scratch"
    if training.tuned:
        start += f"; a linear head first, then {training.tuned}"
    rows = [
        ("Network", f"{card.architecture}, {start}"),
        ("Optimizer", optimizer.name),
        ("Learning rate, weight decay", f"{optimizer.lr:g}, {optimizer.weight_decay:g}"),
        ("Schedule", f"{scheduler.name}, {scheduler.warmup:.0%} of the steps are warm-up"),
        ("Batch", f"{trainer.batch_size} pictures, label smoothing {trainer.label_smoothing:g}"),
        ("Augmentation", ", ".join(f"{name} {_value(value)}" for name, value in _changes(config.augment))),
        ("Seed", str(config.seed)),
        ("Epochs", f"{training.epochs}; the weights are those of epoch {training.best_epoch}"),
        ("Time", seconds),
    ]
    return f"{table(('', ''), rows)}\n\nAll settings are under `config` in `card.json`."


def _describe_weights(weights: StartingWeights | None) -> str:
    """Return where pretrained weights came from, with their licence."""
    return f"{weights.source}, licence {weights.license or 'unknown'}" if weights else "none"


def _changes(augment: AugmentConfig) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in asdict(augment).items() if value not in (0, "none")]


def _external_rows(result: ExternalTest | None) -> list[tuple[str, str]]:
    if not result:
        return []
    folder = _code(result.folder)
    return [(f"On {folder}", f"{result.accuracy:.1%} of {result.pictures} pictures, macro F1 {result.f1_macro:.3f}")]


def _evaluation(card: Card) -> str:
    metrics, calibration, rejection, export = card.metrics, card.calibration, card.rejection, card.export
    rows = [
        ("Test accuracy", f"{metrics.accuracy:.1%} of {metrics.pictures} pictures"),
        ("F1, macro and weighted", f"{metrics.f1_macro:.3f}, {metrics.f1_weighted:.3f}"),
        *_external_rows(card.external_test),
        ("Test loss", f"{metrics.loss:.3f}"),
        (
            "Calibration",
            f"temperature {card.temperature:.2f}, expected calibration error {calibration.ece_after:.1%} "
            f"({calibration.ece_before:.1%} without)",
        ),
        (
            "None of the labels",
            f"below {rejection.threshold:.1%} confidence: {1 - rejection.accepted:.1%} of {rejection.pictures} test "
            f"pictures and {rejection.refused:.1%} of {rejection.others} pictures of none of the labels "
            f"({_text(rejection.source)})",
        ),
        (
            "ONNX compared with torch",
            f"{export.same_label} of {export.pictures} test pictures have the same label, probabilities differ by up "
            f"to {export.max_probability_difference:.1e}",
        ),
        ("Serves", card.quantized.reason),
    ]
    labels = [
        (
            *(_text(label), f"{of.precision:.1%}", f"{of.recall:.1%}", f"{of.f1:.1%}"),
            *(str(of.pictures), str(card.training.labels[label])),
        )
        for label, of in metrics.per_label.items()
    ]
    columns = ("label", "precision", "recall", "F1", "test pictures", "training pictures")
    return f"""\
The test pictures were used once, after training. The figures are those of `model.safetensors`.

{table(("", ""), rows)}

{table(columns, labels)}"""


def _limits(card: Card) -> str:
    label, of = min(card.metrics.per_label.items(), key=lambda item: item[1].recall)
    few, many = min(card.training.labels.values()), max(card.training.labels.values())
    lines = [
        "The model gives one of its labels to every picture, also to one of none of them. Low confidence finds only "
        "some of those; on pictures of another kind than those measured above it may find fewer.",
        "It knows pictures like those that it was trained on: a model trained on drawings does not know photographs. "
        "The test pictures come from the same collection, so the figures do not hold for other cameras, places and "
        "times.",
        f"The label with the lowest recall is {_code(label)}: {of.recall:.1%} of {of.pictures} test pictures. With few "
        "pictures that is not certain; `invoke evaluate` gives intervals, and measures corrupted pictures.",
        *([f"Labels have between {few} and {many} training pictures."] if few < many else []),
        "It was not examined what the pictures leave out, or which backgrounds go with which label. Where a background "
        "gives the label away, the model may have learned the background.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _origin(card: Card, licence: str) -> str:
    rows = [
        ("Made", f"{card.created:%Y-%m-%d %H:%M} UTC by run {card.run}, commit {card.git_commit or 'unknown'}"),
        ("With", ", ".join(f"{name} {version}" for name, version in card.packages.items())),
        ("Licence", licence or "not given (`license=…`)"),
    ]
    return f"{table(('', ''), rows)}\n\n`card.json` holds all of this for programs, and the checksum of each file."


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _code(text: str) -> str:
    """Return text in backticks, so that a comma in it does not separate; escaped where it has a backtick."""
    return _text(text) if "`" in text else f"`{text}`"


def _text(text: str) -> str:
    """Escape text, so that nothing in it is Markdown."""
    return re.sub(r"([\\`*_\[\]<>#$~])", r"\\\1", text)
