"""Measure the false and true alarms of the drift tests, on a real model.

    nice uv run python -m profiling.monitoring.drift_experiment    # about seven minutes of CPU, four of them to train

A model is trained on sample pictures in four of the five styles, unless --bucket names such a model. It then classifies
new pictures: weeks of the same distribution, and weeks of changed pictures. All are compared with the model's
reference, as a report does. Results: reports/drift.md, .json and figures/drift.png.

The limits in `drift.Limits` were chosen with --seed 1 on another model; the results are those of --seed 2.
"""

import argparse
import json
import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from animals import registry
from animals.api import Drift
from animals.data.sample.make import make_sample
from animals.monitoring.drift import DEFAULTS, detect_drift
from animals.records import Card
from animals.storage import open_storage
from profiling.monitoring import drift_report
from profiling.monitoring.drift_pictures import CHANGES, HELD_OUT, SEEN, UNCHANGED, classify, pictures
from profiling.results import conditions

log = logging.getLogger("drift experiment")

MORE_OF: Final = "cat"
SHARES: Final = (0.2, 0.3, 0.5)
"""Shares of that label; in the reference each label has a tenth."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The results on one kind of pictures."""

    name: str
    accuracy: float
    confidence: float
    """Mean."""
    weeks: dict[int, int] = field(default_factory=dict)
    """Rows a week -> weeks."""
    fired: dict[int, int] = field(default_factory=dict)
    """Rows a week -> weeks with an alarm."""
    features: dict[str, int] = field(default_factory=dict)
    """Feature -> largest weeks in which it drifted."""
    sizes: dict[str, list[float]] = field(default_factory=dict)
    """Feature -> its difference in each of the largest weeks, divided by the limit."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many pictures are compared."""

    seed: int
    sizes: tuple[int, ...]
    """Rows a week."""
    weeks: int
    """Number of weeks: of unchanged pictures for the largest size, of all others for each size."""
    pool: int
    """Pictures of each changed kind, from which its weeks are drawn."""


class Experiment:
    """One model and its reference."""

    def __init__(self, bucket: Path, plan: Plan) -> None:
        self.bucket = bucket
        self.plan = plan
        self.rng = np.random.default_rng(plan.seed)
        storage = open_storage(str(bucket))
        self.card: Card = registry.read_card(storage, registry.read_current(storage).version)
        self.reference = pd.read_parquet(BytesIO(registry.read_file(storage, self.card, registry.REFERENCE)))

    def run(self) -> Iterator[Kind]:
        """Yield the results of each kind of pictures, the unchanged first."""
        plan, rows = self.plan, max(self.plan.sizes)
        same = self.classify(1, plan.weeks * rows)
        shuffled = same.sample(frac=1, random_state=self.rng)
        yield self.kind("unchanged", same, {n: list(_cut(shuffled, n)) for n in plan.sizes})
        yield self.kind(f"unchanged, all {len(same)} as one week", same, {rows: [same]})
        pool = classify(self.bucket, pictures(self.seed(2), plan.pool), (UNCHANGED, *CHANGES))
        for change in CHANGES:
            yield self.drawn(change, pool[change])
        yield self.drawn("a style that it was not trained on", self.classify(3, plan.pool, style=HELD_OUT))
        more = self.classify(4, rows, label=MORE_OF)
        yield from (self.mixed(pool[UNCHANGED], more, share) for share in SHARES)

    def seed(self, number: int) -> int:
        """Return the seed of one set of pictures; that of the training pictures is 0."""
        return 1000 * self.plan.seed + number

    def classify(self, number: int, count: int, **which: str) -> pd.DataFrame:
        """Classify the pictures of one set."""
        return classify(self.bucket, pictures(self.seed(number), count, **which))[UNCHANGED]

    def drawn(self, name: str, pool: pd.DataFrame) -> Kind:
        """Compare weeks that are drawn from a pool, without repetition within a week."""
        return self.weekly(name, lambda rows: pool.sample(rows, random_state=self.rng), pool)

    def mixed(self, pool: pd.DataFrame, more: pd.DataFrame, share: float) -> Kind:
        """Compare weeks in which one label has another share."""
        others = pool[pool["target"] != MORE_OF]

        def week(rows: int) -> pd.DataFrame:
            count = self.rng.binomial(rows, share)
            parts = more.sample(count, random_state=self.rng), others.sample(rows - count, random_state=self.rng)
            return pd.concat(parts)

        return self.weekly(f"{share:.0%} are a {MORE_OF} instead of 10 %", week, week(max(self.plan.sizes)))

    def weekly(self, name: str, week: Callable[[int], pd.DataFrame], answered: pd.DataFrame) -> Kind:
        """Compare weeks of each size."""
        return self.kind(name, answered, {n: [week(n) for _ in range(self.plan.weeks)] for n in self.plan.sizes})

    def kind(self, name: str, answered: pd.DataFrame, weeks: dict[int, list[pd.DataFrame]]) -> Kind:
        """Compare each week with the reference."""
        drifts = {n: [detect_drift(self.reference, week, self.card.labels) for week in of] for n, of in weeks.items()}
        most = drifts[max(drifts)]
        kind = Kind(
            name=name,
            accuracy=float((answered["target"] == answered["prediction"]).mean()),
            confidence=float(answered["confidence"].mean()),
            weeks={n: len(of) for n, of in drifts.items()},
            fired={n: sum(drift.drifted for drift in of) for n, of in drifts.items()},
            features=dict(Counter(one.feature for drift in most for one in drift.features if one.drifted)),
            sizes=_sizes(most),
        )
        alarms = ", ".join(f"{kind.fired[n]} of {kind.weeks[n]} with {n}" for n in drifts)
        log.info("%s: accuracy %.3f; alarms: %s; %s", name, kind.accuracy, alarms, kind.features)
        return kind


def _cut(table: pd.DataFrame, rows: int) -> Iterator[pd.DataFrame]:
    for start in range(0, len(table) - rows + 1, rows):
        yield table.iloc[start : start + rows]


def _sizes(drifts: Sequence[Drift]) -> dict[str, list[float]]:
    sizes: dict[str, list[float]] = {}
    for drift in drifts:
        for one in drift.features:
            sizes.setdefault(one.feature, []).append(round(one.statistic / one.threshold, 4))
    return sizes


def trained(folder: Path) -> Path:
    """Return a bucket with a model of four styles, trained unless an earlier call did."""
    bucket, root = (folder / "bucket").resolve(), (folder / "pictures").resolve()
    if not (bucket / "models" / "current.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        make_sample(root, per_label=300, styles=SEEN)
        settings = [f"data.root={root.as_posix()}", "data.sample=false", f"bucket={bucket.as_posix()}"]
        settings += ["data.cache_dir=cache", "tracking.mode=disabled", "trainer.epochs=7"]
        command = [sys.executable, "-m", "animals", "train", "experiment=sample", *settings]
        subprocess.run(command, cwd=folder, check=True)  # noqa: S603 - ours
    return bucket


def main() -> None:
    """Run the experiment and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bucket", type=Path, help="with a model of four styles of the sample [one is trained]")
    parser.add_argument("--folder", type=Path, default=Path("runs/drift"), help="where it is trained [runs/drift]")
    parser.add_argument("--seed", type=int, default=2, help="of pictures and draws [2]")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 200], help="rows a week [50 100 200]")
    parser.add_argument("--weeks", type=int, default=20)
    parser.add_argument("--pool", type=int, default=300, help="pictures of each changed kind [300]")
    parser.add_argument("--out", type=Path, default=Path("reports"), help="folder for the report [reports]")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    plan = Plan(arguments.seed, tuple(sorted(arguments.sizes)), arguments.weeks, arguments.pool)
    bucket = arguments.bucket or trained(arguments.folder)
    experiment = Experiment(bucket, plan)
    kinds = list(experiment.run())
    setting = {
        **conditions(),
        "numpy": np.__version__,
        "model": experiment.card.architecture,
        "accuracy": experiment.card.metrics.accuracy,
        "reference_rows": len(experiment.reference),
        "pool": plan.pool,
        "limits": DEFAULTS.model_dump(),
    }
    result = json.loads(json.dumps({"setting": setting, "kinds": [asdict(kind) for kind in kinds]}))
    drift_report.write(result, arguments.out)


if __name__ == "__main__":
    main()
