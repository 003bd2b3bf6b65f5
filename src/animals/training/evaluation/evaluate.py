"""`animals evaluate`: evaluate a published version and write a report on it."""

from pathlib import Path
from typing import Final

from animals.storage import Storage

REPORTS: Final = Path("reports", "versions")


def evaluate(storage: Storage, version: str, against: str | None, *, most: int) -> str:
    """Evaluate one version, and write reports/versions/VERSION/.

    Args:
        storage: the bucket.
        version: which, or `current`.
        against: another version to compare with; None: the one that serves.
        most: test pictures, at most, that are corrupted.

    Returns:
        A summary for the terminal.

    Raises:
        AnimalsError: the version cannot be read, or its test pictures are missing.
    """
    # only now: torch and pandas take seconds to import
    from animals.training.evaluation.compare import find_rival
    from animals.training.evaluation.examine import answer_all, prove
    from animals.training.evaluation.figures import draw_evaluation, draw_robustness
    from animals.training.evaluation.model_under_test import find_card, load_subject
    from animals.training.evaluation.report import markdown, summary

    card = find_card(storage, version)
    rival = find_rival(storage, card, against)
    subject = load_subject(storage, card)
    evaluation = answer_all(subject)
    proof = prove(subject, evaluation, rival, most=most)
    folder = REPORTS / card.version
    figures = [
        *draw_evaluation(folder, evaluation, subject.data_set),
        draw_robustness(folder, proof.robustness.clean, proof.robustness.accuracy),
    ]
    (folder / "report.md").write_text(markdown(proof, figures), encoding="utf-8")
    (folder / "report.json").write_text(proof.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return summary(proof, folder)
