"""`animals sweep`: search for better settings."""

import sys
from collections.abc import Sequence


def search(
    *, name: str, space: str, trials: int, workers: int, overrides: Sequence[str], metric: str, seed: int
) -> None:
    """Search settings in many short trainings that share one study; the same call resumes it.

    Args:
        name: of the sweep.
        space: a name in conf/sweep, or a .yaml file.
        trials: of the whole sweep, by all workers and calls together.
        workers: processes that each run one trial at a time.
        overrides: Hydra's, for every trial.
        metric: to improve.
        seed: of the values that are tried.

    Raises:
        AnimalsError: the space or an override is impossible.
    """
    # only now: optuna, torch and timm take seconds to import
    from animals.training.model import check_names
    from animals.training.sweep.processes import work_in_processes
    from animals.training.sweep.space import check_space, read_space
    from animals.training.sweep.study import Sweep, sweep_folder
    from animals.training.sweep.work import say_what_happens, work

    sweep_folder(name)  # refuses a bad name before the slow checks
    sweep = Sweep(name=name, space=read_space(space), args=list(overrides), metric=metric, seed=seed, trials=trials)
    for config in check_space(sweep.space, sweep.args):
        check_names(config.model, config.optimizer)
    say_what_happens()
    if workers == 1:
        work(sweep)
    else:
        work_in_processes(sweep, workers)


def report(name: str, *, save_as: str) -> None:
    """Print the results of a sweep, and keep the best settings as an experiment if `save_as` names one."""
    from rich.console import Console

    from animals.training.sweep.report import report, save
    from animals.training.sweep.study import existing, sweep_folder

    with existing(name) as study:
        report(study, sweep_folder(name), Console())
        if save_as:
            sys.stdout.write(f"Experiment {save(study, save_as)}; train with: experiment={save_as}\n")
