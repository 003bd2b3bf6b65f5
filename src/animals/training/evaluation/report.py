"""The evaluation report as Markdown, and its summary for the terminal."""

from collections.abc import Iterable
from pathlib import Path

from animals.markdown import table
from animals.training.evaluation.records import EvaluationReport, Robustness, Share, Slice


def markdown(report: EvaluationReport, figures: Iterable[Path]) -> str:
    """Return the report in Markdown; its figures are in the same folder."""
    sections = (
        _overview(report),
        _labels(report),
        _robustness(report.robustness),
        _slices(report.slices),
        _changes(report.changed),
        "## Figures\n\n" + "\n\n".join(f"![{_title(path)}]({path.name})" for path in figures),
    )
    return "\n\n".join(sections) + "\n"


def summary(report: EvaluationReport, folder: Path) -> str:
    """Return the lines that the command ends with."""
    accuracy = f"{_with_interval(report.accuracy)} of {report.accuracy.pictures} test pictures"
    weak = [f"{part.name} ({part.accuracy.share:.1%})" for part in report.slices if part.weak]
    lines = {
        "Version": report.version,
        "Accuracy": f"{accuracy}; its card says {report.card_accuracy:.1%}",
        "Calibration": _calibration(report),
        "Corrupted": _corrupted(report.robustness),
        "Weak on": ", ".join(weak) or "no part of the test pictures",
        "Changing": ", ".join(f"{share.share:.1%} when {name}" for name, share in report.changed.items()),
        "Compared": _comparison(report),
        "Report": str(folder / "report.md"),
    }
    return "".join(f"{name:<12}{text}\n" for name, text in lines.items())


def _title(path: Path) -> str:
    return path.stem.replace("_", " ").capitalize()


def _with_interval(share: Share) -> str:
    return f"{share.share:.1%} ({share.low:.1%} to {share.high:.1%})"


def _calibration(report: EvaluationReport) -> str:
    return f"error {report.ece_after:.1%} with temperature {report.temperature:.2f}, {report.ece_before:.1%} without"


def _corrupted(robustness: Robustness) -> str:
    means = {name: sum(row) / len(row) for name, row in robustness.accuracy.items()}
    worst = min(means, key=means.__getitem__)
    return f"{robustness.mean:.1%} on average, worst {worst} ({means[worst]:.1%})"


def _comparison(report: EvaluationReport) -> str:
    comparison = report.comparison
    if comparison is None:
        return report.not_compared
    verdict = {"better": "better than", "worse": "worse than", "no difference": "no difference to"}[comparison.verdict]
    return (
        f"{verdict} {comparison.against}: {comparison.only_this} pictures are right here only, "
        f"{comparison.only_other} there only (p = {comparison.p_value:.2g})"
    )


def _overview(report: EvaluationReport) -> str:
    rows = (
        ("Accuracy", f"**{_with_interval(report.accuracy)}** of {report.accuracy.pictures} test pictures"),
        ("Its card says", f"{report.card_accuracy:.1%}"),
        ("F1, macro", f"{report.metrics.f1_macro:.3f}"),
        ("Calibration", _calibration(report)),
        ("Corrupted pictures", _corrupted(report.robustness)),
        ("Compared", _comparison(report)),
    )
    return (
        f"# Evaluation of {report.version}\n\nMeasured with its ONNX file on its own test pictures. Ranges are 95 % "
        f"intervals. [What is measured, and why](../../../docs/design/evaluation.md)\n\n{table(('', ''), rows)}"
    )


def _labels(report: EvaluationReport) -> str:
    rows = (
        (label, f"{row.precision:.1%}", f"{row.recall:.1%}", f"{row.f1:.1%}", str(row.pictures))
        for label, row in report.metrics.per_label.items()
    )
    return f"## Labels\n\n{table(('label', 'precision', 'recall', 'F1', 'pictures'), rows)}"


def _robustness(robustness: Robustness) -> str:
    rows = ((name, *(f"{share:.1%}" for share in row)) for name, row in robustness.accuracy.items())
    return (
        f"## Corrupted pictures\n\nAccuracy on {robustness.pictures} test pictures: {robustness.clean:.1%} as they "
        f"are, **{robustness.mean:.1%}** on average over this table. Severity 1 is hardly visible; at 5 hardly "
        f"anything else is.\n\n{table(('', '1', '2', '3', '4', '5'), rows)}"
    )


def _slices(slices: Iterable[Slice]) -> str:
    rows = (
        (
            *(part.name, part.meaning, _with_interval(part.accuracy), str(part.accuracy.pictures)),
            f"**weak** (p = {part.p_value:.2g})" if part.weak else "",
        )
        for part in slices
    )
    return (
        "## Parts\n\nAccuracy on parts of the test pictures. A part is **weak** if it is significantly less accurate "
        f"than the rest.\n\n{table(('part', 'meaning', 'accuracy', 'pictures', ''), rows)}"
    )


def _changes(changed: dict[str, Share]) -> str:
    rows = ((name, _with_interval(share), f"{share.count} of {share.pictures}") for name, share in changed.items())
    return (
        "## Invariance\n\nPictures whose predicted label changes with something that should not matter, whether it "
        f"was right or wrong.\n\n{table(('when', 'labels that change', ''), rows)}"
    )
