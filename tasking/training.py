"""Pictures and training."""

from invoke.context import Context
from invoke.tasks import task

from tasking.shell import options, python, words


@task(
    help={
        "source": "bring pictures from: sample, kaggle, feedback, gs://name/prefix, a folder, a zip or tar file",
        "root": "folder that gets them, or that --version keeps [data/raw/raw-img; data/sample for sample]",
        "check": "look for broken and doubtful pictures",
        "stats": "describe the pictures in numbers",
        "shards": "write the pictures as shards to stream, to gs://name/prefix or a folder",
        "version": "keep the pictures as a version in a bucket, by DVC",
        "args": 'Hydra overrides for --check, --stats and --shards, as in --args "experiment=animals10"',
    }
)
def data(
    _: Context,
    source: str = "",
    root: str = "",
    check: bool = False,
    stats: bool = False,
    shards: str = "",
    version: bool = False,
    args: str = "",
) -> None:
    """Bring pictures, check, describe, pack or version them.

    It does whichever of these the options ask for, in this order.

    For example: invoke data --check --stats --args "experiment=folder data.root=path/to/pictures"
    """
    place = ["--root", root] if root else []
    if source:
        python("animals.data", "fetch", source, *place)
    for command, wanted in (("check", check), ("stats", stats)):
        if wanted:
            python("animals.data", command, *words(args))
    if shards:
        python("animals.data", "shards", shards, *words(args))
    if version:
        python("animals.data", "version", *place)
    if not (source or check or stats or shards or version):
        python("invoke", "--help", "data")


@task(help={"args": 'Hydra overrides, as in --args "optimizer.lr=3e-4 trainer.epochs=2"'})
def train(_: Context, args: str = "") -> None:
    """Train, evaluate, export and publish a model.

    It learns from the sample pictures unless told otherwise.

    For example: invoke train --args "experiment=folder data.root=path/to/pictures trainer.epochs=4"
    """
    python("animals.training", *words(args))


@task(
    help={
        "args": 'Hydra overrides, as in --args "experiment=animals10 trainer.batch_size=32"',
        "steps": "that are timed, and then profiled",
    }
)
def profile(_: Context, args: str = "", steps: int = 10) -> None:
    """See where the time of a training goes.

    A trace and a table are written into runs/profiles/.

    For example: invoke profile --steps 20 --args "trainer.batch_size=32"
    """
    python("animals.training.profile", *words(args), "--steps", str(steps))


@task(
    help={
        "name": "of the sweep, whose folder is runs/sweeps/NAME; the same name goes on with it [the space's]",
        "space": "what is searched: a name in src/animals/config/conf/sweep, or a .yaml file",
        "trials": "of the whole sweep, by all workers and calls together",
        "workers": "processes that each run one trial at a time",
        "args": 'Hydra overrides of every trial, as in --args "experiment=animals10 trainer.epochs=4"',
        "metric": "val/accuracy or val/loss",
        "report": "only show what was found so far",
        "save": "keep the best settings as the experiment of this name",
    }
)
def sweep(
    _: Context,
    name: str = "",
    space: str = "sample",
    trials: int = 20,
    workers: int = 1,
    args: str = "",
    metric: str = "val/accuracy",
    report: bool = False,
    save: str = "",
) -> None:
    """Search for better settings in many short trainings.

    For example: invoke sweep --name lr --trials 20 --workers 2 --args "trainer.epochs=6"
    """
    given = options(name=name, space=space, trials=trials, workers=workers, metric=metric, save=save, report=report)
    python("animals.training.sweep", *given, f"--args={args}")
