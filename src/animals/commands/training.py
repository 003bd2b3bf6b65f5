"""Commands that get pictures and train."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Context, Option, Typer

app = Typer()

Overrides = Annotated[
    list[str], Argument(metavar="OVERRIDE", help="Hydra overrides, as in experiment=animals10 trainer.epochs=4")
]


@app.command()
def data(
    context: Context,
    overrides: Overrides = [],
    source: Annotated[
        str,
        Option(help="get pictures from: sample, kaggle, feedback, gs://name/prefix, a folder, a zip or tar file"),
    ] = "",
    root: Annotated[
        Path | None,
        Option(
            help="folder for the pictures, or the one that --version keeps [data/raw/raw-img; data/sample for sample]"
        ),
    ] = None,
    check: Annotated[bool, Option("--check", help="look for broken and doubtful pictures")] = False,
    stats: Annotated[bool, Option("--stats", help="describe the pictures in numbers")] = False,
    shards: Annotated[str, Option(help="write the pictures as shards to stream, to gs://name/prefix or a folder")] = "",
    version: Annotated[bool, Option("--version", help="keep the pictures as a version in a bucket, by DVC")] = False,
) -> None:
    """Get pictures, check, describe, pack or version them.

    It does what the options ask for, in this order. The overrides are for --check, --stats and --shards.

    For example: animals data --check --stats experiment=folder data.root=path/to/pictures
    """
    if not (source or check or stats or shards or version):
        sys.stdout.write(context.get_help() + "\n")
    if source:
        from animals.data.sources import fetch

        fetch.main(source, root)
    if check:
        from animals.data import checks

        checks.main(overrides)
    if stats:
        from animals.data import statistics

        statistics.main(overrides)
    if shards:
        from animals.data.shards import write

        write.main(shards, overrides)
    if version:
        from animals.data import versioning
        from animals.data.sources.import_pictures import PICTURES_ROOT

        versioning.main(root or PICTURES_ROOT)


@app.command(context_settings={"ignore_unknown_options": True})
def train(overrides: Overrides = []) -> None:
    """Train, evaluate, export and publish a model.

    It trains on the sample pictures unless an override names others. Hydra's own options work too, such as --cfg job.

    For example: animals train experiment=folder data.root=path/to/pictures trainer.epochs=4
    """
    from animals.training import train as training

    training.main(overrides)


@app.command(hidden=True)
def cluster(overrides: Overrides = []) -> None:
    """Train on this machine of several on Vertex AI, by torchrun."""
    from animals.training import distributed

    distributed.main(overrides)


@app.command()
def profile(
    overrides: Overrides = [],
    steps: Annotated[int, Option(min=1, help="number of steps to time, and then to profile")] = 10,
) -> None:
    """Measure where the time of a training goes.

    A trace and a table are written into runs/profiles/.

    For example: animals profile --steps 20 trainer.batch_size=32
    """
    from animals.config.compose import compose_train_config
    from animals.training.profile import profile

    sys.stdout.write(profile(compose_train_config(overrides), steps))


@app.command()
def sweep(
    overrides: Overrides = [],
    name: Annotated[
        str, Option(help="name of the sweep, whose folder is runs/sweeps/NAME; the same name resumes it [the space's]")
    ] = "",
    space: Annotated[
        str, Option(help="search space: a name in src/animals/config/conf/sweep, or a .yaml file")
    ] = "sample",
    trials: Annotated[int, Option(min=1, help="trials of the whole sweep, by all workers and calls together")] = 20,
    workers: Annotated[int, Option(min=1, help="processes that each run one trial at a time")] = 1,
    metric: Annotated[Literal["val/accuracy", "val/loss"], Option(help="metric to improve")] = "val/accuracy",
    seed: Annotated[int, Option(help="seed of the values that are tried")] = 0,
    report: Annotated[bool, Option("--report", help="only show the results so far")] = False,
    save: Annotated[str, Option(help="keep the best settings as the experiment of this name")] = "",
) -> None:
    """Search for better settings in many short trainings.

    The overrides apply to every trial.

    For example: animals sweep --name lr --trials 20 --workers 2 trainer.epochs=6
    """
    from animals.training.sweep.report import report as print_report

    name = name or Path(space).stem
    if not report:
        from animals.training.sweep.search import search  # torch takes seconds to import
        from animals.training.sweep.space import read_space
        from animals.training.sweep.study import Sweep

        values = read_space(space)
        search(Sweep(name=name, space=values, args=overrides, metric=metric, seed=seed, trials=trials), workers)
    print_report(name, save_as=save)
