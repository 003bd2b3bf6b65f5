"""`python -m animals.training.release.verify VERSION`: fetch a published version, and find out whether it may serve.

Nothing is taken on trust that can be looked at: each file by its checksum, the labels by those that are served now, the
table of answers by the card, and the ONNX file by the table, as far as the test pictures are to be had here.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Final

from animals import registry
from animals.cli import exit_on_error
from animals.config.settings import read_settings
from animals.errors import BrokenModel, DataError, NoModel, PicturesUnavailable, StorageError
from animals.records import Card, probability_columns
from animals.storage import FolderStorage, Storage, open_storage

INTO: Final = Path("build", "candidate")

SAME: Final = 0.02
"""How far a probability may be from the table's: other processors add numbers in another order, 8 bits are coarse."""

MOST_OTHERWISE: Final = 0.01
"""Share of the pictures, at most, whose answers may be further away: their pixels lie between two steps of 8 bits."""


def fetch(storage: Storage, version: str, folder: Path) -> Card:
    """Bring a version into a folder that is a bucket of its own, in which it serves.

    Raises:
        NoModel: the bucket does not have that version.
        BrokenModel: a file is missing, or not what was published.
        StorageError: the bucket is away, or the folder has another version of the same name.
    """
    card = registry.read_card(storage, version)
    files = {file: registry.read_file(storage, card, file) for file in card.files}
    own = FolderStorage(folder)
    registry.write_version(own, card, files)
    registry.promote(own, version, reason=f"fetched from {storage.url} to be checked")
    return card


def check(storage: Storage, card: Card, folder: Path) -> Iterator[str]:
    """Find out whether a fetched version may serve; a line for each thing that was found right, or not looked at.

    Args:
        storage: the bucket that it came from.
        card: of the version.
        folder: that it was fetched into.

    Raises:
        BrokenModel: it may not.
    """
    yield f"files       {len(card.files)}, each with the checksum on the card"
    yield _check_labels(storage, card)
    yield _check_table(folder, card)
    yield _check_answers(folder, card)


def _check_labels(storage: Storage, card: Card) -> str:
    try:
        serving = registry.read_card(storage, registry.read_current(storage).version)
    except NoModel:
        return f"labels      {len(card.labels)}; nothing serves that has others"
    if other := card.differing_labels(serving):
        raise BrokenModel(
            f"{card.version} has other labels than {serving.version}, which serves ({', '.join(other)}). A running "
            "service would refuse it: start it anew if that is wanted, and promote by hand."
        )
    return f"labels      {len(card.labels)}, the same as those of {serving.version}, which serves"


def _check_table(folder: Path, card: Card) -> str:
    """The table of answers against the card.

    Raises:
        BrokenModel: they do not fit each other.
    """
    import pandas as pd

    table = pd.read_parquet(BytesIO(registry.read_file(FolderStorage(folder), card, registry.REFERENCE)))
    columns = list(probability_columns(dict.fromkeys(card.labels)))
    if len(table) != card.metrics.pictures or not {*columns, "prediction", "target"} <= set(table.columns):
        raise BrokenModel(
            f"{registry.REFERENCE} of {card.version} has {len(table)} rows of {len(table.columns)} columns; expected "
            f"{card.metrics.pictures}, with a probability for each label. Publish the run again."
        )
    right = float((table["prediction"] == table["target"]).mean())
    in_8_bits = card.quantized and card.quantized.passed
    said = card.quantized.accuracy if card.quantized and in_8_bits else card.metrics.accuracy
    if said is None or abs(right - said) > max(0.005, 1.5 / len(table)):
        raise BrokenModel(
            f"{registry.REFERENCE} of {card.version} has {right:.1%} right, but its card says {said or 0:.1%}. "
            "They are not of the same run: publish it again."
        )
    return f"table       {len(table)} test pictures, {right:.1%} right, as the card says"


def _check_answers(folder: Path, card: Card) -> str:
    """The ONNX file against the table of what it answered when it was made.

    Raises:
        BrokenModel: it cannot be run, or answers otherwise.
    """
    import numpy as np
    import pandas as pd

    from animals.training.evaluation.model_under_test import load_model_under_test, predict_test_split

    own = FolderStorage(folder)
    try:
        model = load_model_under_test(own, _without_extra(card))
    except (DataError, PicturesUnavailable, StorageError) as error:
        _check_runs(own, card)
        return f"answers     one finite number a label; not compared with the table, since: {error}"
    with _runs(card):
        evaluation = predict_test_split(model)
    table = pd.read_parquet(BytesIO(registry.read_file(own, card, registry.REFERENCE)))
    before = table.set_index("picture")[list(probability_columns(dict.fromkeys(card.labels)))]
    names = [model.data_set.manifest[row].name for row in evaluation.rows]
    if set(names) != set(before.index):
        raise BrokenModel(
            f"{registry.REFERENCE} of {card.version} is of other pictures than those that its card names. "
            "Publish the run again."
        )
    far = np.abs(evaluation.probabilities - before.loc[names].to_numpy()).max(axis=1) > SAME
    if far.mean() > MOST_OTHERWISE:
        raise BrokenModel(
            f"{card.serving_file} of {card.version} answers {far.sum()} of {len(names)} test pictures otherwise than "
            f"{registry.REFERENCE} says. Publish the run again."
        )
    return f"answers     {len(names) - int(far.sum())} of {len(names)} test pictures as the table says"


def _without_extra(card: Card) -> Card:
    """What was trained on besides is not asked about, and may have been deleted since."""
    data = {**card.config.get("data", {}), "extra": ""}
    return card.model_copy(update={"config": {**card.config, "data": data}})


def _check_runs(storage: Storage, card: Card) -> None:
    import numpy as np

    from animals.training.evaluation.predictors import onnx_predictor

    pixels = np.random.default_rng(0).integers(0, 256, (8, card.input.side, card.input.side, 3), np.uint8)
    with _runs(card):
        answers = onnx_predictor(registry.read_file(storage, card, card.serving_file), card.input)(pixels)
    if answers.shape != (len(pixels), len(card.labels)) or not np.isfinite(answers).all():
        raise BrokenModel(f"{card.serving_file} of {card.version} does not answer one finite number for each label.")


@contextmanager
def _runs(card: Card) -> Iterator[None]:
    from animals.inference import ONNX_ERRORS

    try:
        yield
    except ONNX_ERRORS as error:
        raise BrokenModel(f"{card.serving_file} of {card.version} cannot be run: {error}") from error


def main() -> None:
    """Fetch a published version from ANIMALS_BUCKET, and find out whether it may serve."""
    parser = argparse.ArgumentParser(prog="invoke check-version", description=main.__doc__)
    parser.add_argument("version", help="a published version")
    parser.add_argument("--into", type=Path, default=INTO, help=f"folder that becomes a bucket [{INTO.as_posix()}]")
    arguments = parser.parse_args()
    with exit_on_error():
        storage = open_storage(read_settings().bucket)
        card = fetch(storage, arguments.version, arguments.into)
        sys.stdout.writelines(f"{line}\n" for line in check(storage, card, arguments.into))
        sys.stdout.write(f"{card.version} may serve. To try it: ANIMALS_BUCKET={arguments.into} uv run invoke serve\n")


if __name__ == "__main__":
    main()
