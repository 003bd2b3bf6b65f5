"""A version's frozen network at other input sides, its head fitted anew: `animals optimize --sides`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from animals import registry
from animals.config.compose import read_run_config
from animals.config.training import TrainConfig
from animals.data.load import load_data_set
from animals.errors import UsageError
from animals.markdown import table
from animals.records import Card
from animals.storage import Storage
from animals.training.evaluation.evaluate import REPORTS
from animals.training.evaluation.model_under_test import check_test_split, find_card
from animals.training.evaluation.statistics import SIGNIFICANT, format_share, p_mcnemar, share_of, spread_sample
from animals.training.export.forms import NAMES, Forms, onnx_one_predictor
from animals.training.export.optimize import FormMetrics, measure
from animals.training.hardware import processor
from animals.training.pipeline import make_version
from animals.training.release.publish import publish as publish_run
from animals.training.release.publish import read_run
from animals.training.runs import RUNS


def compare_sides(storage: Storage, version: str, sides: Sequence[int], *, pictures: int, publish: bool) -> str:
    """Compare a version with the same network at other sides, and write reports/versions/VERSION/sides.md.

    Args:
        storage: the bucket.
        version: which, or `current`; its network must be frozen.
        sides: in pixels.
        pictures: test pictures, at most, that each form predicts.
        publish: publish the fastest that is not significantly worse, and let it serve.

    Returns:
        The report.

    Raises:
        UsageError: the version's network is not frozen.
        AnimalsError: the version or its pictures cannot be used.
    """
    card = find_card(storage, version)
    if not card.training.frozen:
        raise UsageError(
            f"The network of {card.version} was trained at {card.input.side} pixels, so another side needs another "
            "training: set data.side. --sides is for a head on a frozen network (method=transfer)."
        )
    config = read_run_config(card)
    check_test_split(card, load_data_set(config.data, card.input))
    with TemporaryDirectory() as temporary:
        own = Path(temporary)
        for file in card.files:
            (own / file).write_bytes(registry.read_file(storage, card, file))
        folders = {card.input.side: own}
        runs = {side: _train(config, side) for side in sorted(set(sides) - {card.input.side})}
        folders |= {side: run / "version" for side, run in runs.items()}
        cards = {card.input.side: card} | {side: read_run(run) for side, run in runs.items()}
        measured = _measure(config, cards, folders, pictures)
    fastest = _choose(measured)
    text = _report(card, measured, fastest)
    if publish:
        side = int(fastest.split()[0])
        if side in runs:
            text += f"\nPublished: {publish_run(runs[side], storage, promote=True).version}\n"
        else:
            text += f"\n{card.version} is the fastest already; nothing was published.\n"
    path = REPORTS / card.version / "sides.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return f"{text}\nReport: {path}\n"


def _at(config: TrainConfig, side: int) -> TrainConfig:
    return replace(config, tune="never", data=replace(config.data, side=side))


def _train(config: TrainConfig, side: int) -> Path:
    """Fit the head anew at a side, and return the run's folder."""
    run = RUNS / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{config.name}-{side}"
    make_version(_at(config, side), run)
    return run


def _measure(config: TrainConfig, cards: dict[int, Card], folders: dict[int, Path], pictures: int) -> list[FormMetrics]:
    """Measure the form that serves at each side on the same test pictures; that of the version is the first."""
    forms: Forms = {}
    inputs = []
    for side, card in cards.items():
        data_set = load_data_set(_at(config, side).data, card.input)
        rows = data_set.rows("test")
        rows = rows[spread_sample(data_set.targets[rows], pictures)]
        path = folders[side] / card.serving_file
        forms[f"{side} pixels, {NAMES[card.serving_file]}"] = (path, onnx_one_predictor(path))
        inputs.append((data_set.read_pixels(rows), data_set.spec))
    return measure(forms, inputs, data_set.targets[rows])


def _choose(measured: Sequence[FormMetrics]) -> str:
    """Return the name of the fastest form that is not significantly worse than the one that serves."""
    serving = measured[0].correct

    def worse(form: FormMetrics) -> bool:
        lost, gained = int(np.sum(serving & ~form.correct)), int(np.sum(form.correct & ~serving))
        return lost > gained and p_mcnemar(gained, lost) < SIGNIFICANT

    return min((form for form in measured if not worse(form)), key=lambda form: form.latency).name


def _report(card: Card, measured: Sequence[FormMetrics], fastest: str) -> str:
    rows = [
        (
            f"**{form.name}**" if form.name == fastest else form.name,
            f"{form.size / 1e6:.1f}",
            f"{form.latency:.2f}",
            format_share(share_of(form.correct)),
            f"{form.same_label:.1%}",
        )
        for form in measured
    ]
    return f"""\
# Sides of {card.version}

A {card.architecture} on {len(measured[0].correct)} test pictures, one at a time, on one thread of a {processor()}.
The first row serves; labels are compared with its labels. Bold: the fastest that is not significantly worse, by
McNemar's test.

{table(("", "size, MB", "ms a picture", "accuracy", "same label"), rows)}
"""
