"""`animals optimize`: what other forms of a published version would give."""

from animals.storage import Storage


def compare_forms(storage: Storage, version: str, *, pictures: int, channels: float, epochs: int) -> str:
    """Compare forms of one version, write the report, and say what was found.

    Args:
        storage: the bucket.
        version: which, or `current`.
        pictures: test pictures, at most, that each form answers.
        channels: part of the channels that is pruned.
        epochs: of training after that.

    Raises:
        AnimalsError: whatever stands in the way.
    """
    # only now: torch takes seconds to import
    from animals.training.evaluation.evaluate import REPORTS
    from animals.training.evaluation.model_under_test import find_card
    from animals.training.export.optimize.optimize import optimize
    from animals.training.export.optimize.report import draw, markdown, table

    found = optimize(storage, find_card(storage, version), pictures=pictures, channels=channels, epochs=epochs)
    folder = REPORTS / found.version
    folder.mkdir(parents=True, exist_ok=True)
    figure, report = folder / "optimize.png", folder / "optimize.md"
    draw(found, figure)
    report.write_text(markdown(found, figure), encoding="utf-8")
    (folder / "optimize.json").write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return f"{table(found)}\n\nReport: {report}\n"
