"""The commands of a sweep: search for better settings, and report the results."""

from collections.abc import Sequence


def search(
    *, name: str, space: str, trials: int, workers: int, overrides: Sequence[str], metric: str, seed: int
) -> None:
    """Search settings in many short trainings that share one study; the same call resumes it.

    Args:
        name: of the sweep.
        space: a name in conf/sweep, or a .yaml file.
        trials: to finish or prune, by all workers and calls together. Where two workers end their trials in the same
            moment, each may begin another one.
        workers: processes that each run one trial at a time.
        overrides: Hydra's, for every trial.
        metric: to improve, `val/accuracy` or `val/loss`.
        seed: of the values that are tried.

    Raises:
        ConfigError: the name, the space or an override is impossible, or the sweep was started with others.
        AnimalsError: several trials failed one after the other, or a worker was killed.
        Interrupted, KeyboardInterrupt: Ctrl-C or SIGTERM; the trials in progress are queued again.
        SystemExit: a worker ended with an error, which it has printed, and this exit code.
    """
    # only now: optuna, torch and timm take seconds to import
    from animals.training.model import check_names
    from animals.training.sweep.space import check_space, read_space
    from animals.training.sweep.study import Sweep, sweep_folder
    from animals.training.sweep.workers import configure_logging, run_trials, run_workers

    sweep_folder(name)  # raises for a bad name before the slow checks
    sweep = Sweep(name=name, space=read_space(space), args=list(overrides), metric=metric, seed=seed, trials=trials)
    for config in check_space(sweep.space, sweep.args):
        check_names(config.model, config.optimizer)
    configure_logging()
    if workers == 1:
        run_trials(sweep)
    else:
        run_workers(sweep, workers)


def report(name: str, *, save_as: str) -> None:
    """Print the results of a sweep, and save the best settings as an experiment if `save_as` names one."""
    from animals.training.sweep.report import write_report

    write_report(name, save_as)
