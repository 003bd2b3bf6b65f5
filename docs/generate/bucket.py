"""The reference of what lies in the bucket: the tree of names, and the records that are written there."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from animals.api import Summary
from animals.monitoring.trigger import RetrainRequest
from animals.records import Card, Current, Feedback, LoggedPrediction
from docs.generate.markdown import page, table
from docs.generate.schemas import properties

TREE: Final = {
    "models/<version>/model.safetensors": "weights, in timm's hub format",
    "models/<version>/config.json": "architecture, labels and preprocessing, in timm's hub format",
    "models/<version>/model.onnx": "exported in 32 bits",
    "models/<version>/model.int8.onnx": "exported in 8 bits; only if it is good enough to serve",
    "models/<version>/reference.parquet": "what it answered to each test picture",
    "models/<version>/README.md": "the model card, for people",
    "models/<version>/card.json": "a [Card](#Card), written last: it makes the version complete",
    "models/current.json": "a [Current](#Current): the version that serves",
    "predictions/date=<day>/<time>-<id>.jsonl": "a [LoggedPrediction](#LoggedPrediction) a line",
    "feedback/date=<day>/<id>.json": "a [Feedback](#Feedback); the day is that of the answer",
    "feedback/pictures/date=<day>/<id>-<time>.jpg": "the picture, where its owner agreed",
    "compacted/predictions/date=<day>.parquet": "the predictions of a day in one table",
    "compacted/feedback/date=<day>.parquet": "the judgements of a day in one table",
    "reports/<time>/": "the files of a report: index.html, performance.html, drift.html, summary.json",
    "reports/latest.json": "a [Summary](#Summary): of the newest report",
    "retrain/date=<day>/<version>.json": "a [RetrainRequest](#RetrainRequest): that somebody was asked to train again",
    "dvc/": "versions of the pictures, if they are kept in this bucket; DVC's own",
}
"""Name of an object or folder -> what it is; a test compares it with the names that the code makes."""

RECORDS: Final[tuple[type[BaseModel], ...]] = (Card, Current, LoggedPrediction, Feedback, Summary, RetrainRequest)


def bucket_page() -> str:
    """The tree, and each record with those that it holds."""
    return page(
        "The bucket",
        "A local folder or `gs://name/prefix`, named by `ANIMALS_BUCKET`. Why everything is an object in it, and "
        "how it is written safely, is in [the bucket is the source of truth](../design/bucket.md). A record has "
        "exactly these fields: one with others is refused rather than half read.",
        "## Names\n\n" + table(("object", "what it is"), [(f"`{name}`", told) for name, told in TREE.items()]),
        "## Records",
        *(_model(name, schema) for name, schema in schemas().items()),
    )


def schemas() -> dict[str, Mapping[str, Any]]:
    """Each record by its name, followed by those that it holds."""
    found: dict[str, Mapping[str, Any]] = {}
    for record in RECORDS:
        schema = record.model_json_schema()
        found.setdefault(record.__name__, schema)
        for name, held in schema.get("$defs", {}).items():
            found.setdefault(name, held)
    return found


def _model(name: str, schema: Mapping[str, Any]) -> str:
    told = (schema.get("description") or "").partition("\n\n")[0]
    return f"### {name} {{ #{name} }}\n\n{told}\n\n{properties(schema)}"
