"""Engines that distribute the work: processes of this machine, or a Ray cluster."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, Final

from animals.bulk.work import Model, Row, classify_pictures
from animals.concurrency import in_processes
from animals.cpus import available_cpus
from animals.errors import AnimalsError, ConfigError, Interrupted

Chunk = Sequence[str]
Engine = Callable[[Sequence[Chunk], Model, int | None], Iterator[list[Row]]]
"""A function of pictures, a model and the number of workers (None: one for each CPU). It yields rows in any order."""

RAY_BLOCKS: Final = 10_000
"""Most blocks into which the pictures are divided: each costs Ray some milliseconds."""


def classify_locally(chunks: Sequence[Chunk], model: Model, workers: int | None) -> Iterator[list[Row]]:
    """Classify pictures with processes of this machine, each on one CPU."""
    try:
        job = partial(classify_pictures, model=model)
        for _, rows in in_processes(job, chunks, workers=workers or available_cpus()):
            yield rows
    except BrokenProcessPool as error:
        raise Interrupted(
            "A worker was killed, most likely because memory ran out. "
            "Finished parts are kept: resume with the same command and fewer --workers."
        ) from error


def classify_with_ray(chunks: Sequence[Chunk], model: Model, workers: int | None) -> Iterator[list[Row]]:
    """Classify pictures with a Ray Data job, on the cluster of RAY_ADDRESS or else on this machine.

    Only names are sent to the workers, and rows come back. Each worker reads the model and its pictures from the
    bucket or from a folder that all machines share.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")  # else workers install one of their own
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ConfigError("--engine ray needs Ray, which is not installed: pip install 'ray[data]'") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # it logs its plan, and its progress bars
    ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        cpus: float = ray.cluster_resources().get("CPU", 1)  # type: ignore[no-untyped-call] # Ray has no types for it
        items = [{"pictures": list(chunk)} for chunk in chunks]
        rows = ray.data.from_items(items, override_num_blocks=min(len(items), RAY_BLOCKS)).map_batches(
            _RayWorker,
            fn_constructor_args=(model,),
            batch_size=1,
            batch_format="numpy",
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=workers or max(1, int(cpus))),
        )
        for row in rows.iter_rows():
            if row["failure"]:
                raise AnimalsError(row["failure"])
            yield [Row(row["picture"], tuple(row["probabilities"]), row["problem"] or None)]
    finally:
        ray.shutdown()


class _RayWorker:
    """An actor of Ray Data, from columns of chunks to columns of rows."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        failure = ""
        try:
            rows = [row for names in batch["pictures"] for row in classify_pictures(list(names), self._model)]
        except AnimalsError as error:  # raised here, it would arrive wrapped in Ray's own errors and tracebacks
            rows, failure = [Row("")], str(error)
        return {
            "picture": [row.picture for row in rows],
            "probabilities": [list(row.probabilities) for row in rows],
            "problem": [row.problem or "" for row in rows],
            "failure": [failure] * len(rows),
        }


ENGINES: Final[dict[str, Engine]] = {"local": classify_locally, "ray": classify_with_ray}
