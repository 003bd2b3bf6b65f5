"""A proof in words: the report for people, and the short table for the terminal."""

from collections.abc import Iterable
from pathlib import Path

from animals.markdown import table
from animals.training.evaluation.records import Comparison, Proof, Share, Slice


def markdown(proof: Proof, figures: Iterable[Path]) -> str:
    """The report; its figures lie beside it."""
    sections = (
        _overview(proof),
        _labels(proof),
        _robustness(proof),
        _slices(proof.slices),
        _changes(proof.changed),
        "## Figures\n\n" + "\n\n".join(f"![{_title(path)}]({path.name})" for path in figures),
    )
    return "\n\n".join(sections) + "\n"


def summary(proof: Proof, folder: Path) -> str:
    """What the command ends with."""
    lines = {
        "Version": proof.version,
        "Accuracy": f"{_with_interval(proof.accuracy)} of {proof.accuracy.pictures} test pictures; "
        f"its card says {proof.card_accuracy:.1%}",
        "Calibration": _calibration(proof),
        "Spoiled": f"{proof.robustness.mean:.1%} in the mean, {_worst(proof)}",
        "Weak on": ", ".join(f"{part.name} ({part.accuracy.share:.1%})" for part in proof.slices if part.weak)
        or "no part of the test pictures",
        "Unsteady": ", ".join(f"{share.share:.1%} change when {name}" for name, share in proof.changed.items()),
        "Compared": _verdict(proof),
        "Report": str(folder / "report.md"),
    }
    return "".join(f"{name:<12}{text}\n" for name, text in lines.items())


def _title(path: Path) -> str:
    return path.stem.replace("_", " ").capitalize()


def _with_interval(share: Share) -> str:
    return f"{share.share:.1%} ({share.low:.1%} to {share.high:.1%})"


def _calibration(proof: Proof) -> str:
    return f"error {proof.ece_after:.1%} with temperature {proof.temperature:.2f}, {proof.ece_before:.1%} without"


def _worst(proof: Proof) -> str:
    means = {name: sum(row) / len(row) for name, row in proof.robustness.accuracy.items()}
    name = min(means, key=means.__getitem__)
    return f"worst {name} ({means[name]:.1%})"


def _verdict(proof: Proof) -> str:
    return _compared(proof.comparison) if proof.comparison else proof.not_compared


def _compared(comparison: Comparison) -> str:
    found = {"better": "better than", "worse": "worse than", "no difference": "no difference to"}[comparison.verdict]
    return (
        f"{found} {comparison.against}: {comparison.only_this} pictures are right here only, "
        f"{comparison.only_other} there only (p = {comparison.p_value:.2g})"
    )


def _overview(proof: Proof) -> str:
    rows = (
        ("Accuracy", f"**{_with_interval(proof.accuracy)}** of {proof.accuracy.pictures} test pictures"),
        ("Its card says", f"{proof.card_accuracy:.1%}"),
        ("F1, macro", f"{proof.metrics.f1_macro:.3f}"),
        ("Calibration", _calibration(proof)),
        ("Spoiled pictures", f"{proof.robustness.mean:.1%} in the mean, {_worst(proof)}"),
        ("Compared", _verdict(proof)),
    )
    return (
        f"# What {proof.version} is worth\n\nMeasured with its ONNX file on its own test pictures. Ranges are 95 % "
        f"intervals. [What is measured, and why so](../../../docs/design/evaluation.md)\n\n{table(('', ''), rows)}"
    )


def _labels(proof: Proof) -> str:
    rows = (
        (label, f"{row.precision:.1%}", f"{row.recall:.1%}", f"{row.f1:.1%}", str(row.pictures))
        for label, row in proof.metrics.per_label.items()
    )
    return f"## Labels\n\n{table(('label', 'precision', 'recall', 'F1', 'pictures'), rows)}"


def _robustness(proof: Proof) -> str:
    found = proof.robustness
    rows = ((name, *(f"{share:.1%}" for share in row)) for name, row in found.accuracy.items())
    return (
        f"## Spoiled pictures\n\nAccuracy on {found.pictures} test pictures, {found.clean:.1%} unspoiled and "
        f"**{found.mean:.1%}** in the mean over this table. Severity 1 is hard to see, 5 hard to see through.\n\n"
        f"{table(('', '1', '2', '3', '4', '5'), rows)}"
    )


def _slices(slices: Iterable[Slice]) -> str:
    rows = (
        (part.name, part.meaning, _with_interval(part.accuracy), str(part.accuracy.pictures), _judged(part))
        for part in slices
    )
    return (
        "## Parts\n\nAccuracy on parts of the test pictures. **Weak** is one that is significantly less accurate than "
        f"the rest.\n\n{table(('part', 'meaning', 'accuracy', 'pictures', ''), rows)}"
    )


def _judged(part: Slice) -> str:
    return f"**weak** (p = {part.p_value:.2g})" if part.weak else ""


def _changes(changed: dict[str, Share]) -> str:
    rows = ((name, _with_interval(share), f"{share.count} of {share.pictures}") for name, share in changed.items())
    return (
        "## What should not matter\n\nPictures whose answer changes with it, right or wrong.\n\n"
        f"{table(('when', 'answers that change', ''), rows)}"
    )
