"""The search: one or more processes work on a study, each on one trial after the other.

A trial that runs writes a heartbeat into the study. When it stops, because the process was killed, Optuna queues the
trial's values again.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

import optuna
import torch
from optuna.exceptions import ExperimentalWarning
from optuna.storages import fail_stale_trials
from optuna.study import MaxTrialsCallback, Study
from optuna.trial import FrozenTrial, Trial, TrialState

from animals.cli import exit_on_error
from animals.config.compose import compose_train_config
from animals.cpus import available_cpus
from animals.errors import AnimalsError, ConfigError, Interrupted, UsageError
from animals.training.model import check_names
from animals.training.sweep.space import check_space, format_value, overrides, suggest
from animals.training.sweep.study import HEARTBEAT_SECONDS, LOSS, Sweep, open_study, sweep_folder
from animals.training.sweep.trial import run_trial

log = logging.getLogger(__name__)

FAILURES: Final = 3
"""Trials that fail one after the other before the sweep ends with an error."""

_ERROR: Final = "error"
"""Attribute of a trial that failed: the first line of the error."""

_FINISHED: Final = (TrialState.COMPLETE, TrialState.PRUNED)


class TrialFailed(Exception):
    """One trial failed; the next one may not."""


def search(sweep: Sweep, workers: int) -> None:
    """Search settings in many short trainings that share one study; the same call resumes it.

    Raises:
        ConfigError: the name, the space or an override is impossible, or the sweep was started with others.
        AnimalsError: several trials failed one after the other, or a worker was killed.
        Interrupted: Ctrl-C or SIGTERM; the trials in progress are queued again.
        SystemExit: a worker ended with an error, which it has printed, and this exit code.
    """
    sweep_folder(sweep.name)  # raises for a bad name before the slow checks
    for config in check_space(sweep.space, sweep.args):
        if config.method != "full":
            raise ConfigError(
                f"A sweep trains all weights, and method={config.method} does not. Add method=full to the overrides."
            )
        if config.trainer.minutes:
            raise ConfigError("A sweep ignores trainer.minutes. Set trainer.epochs.")
        check_names(config.model, config.optimizer)
    if workers == 1:
        _log_to_stderr()
        run_trials(sweep)
    else:
        _run_workers(sweep, workers)


def _log_to_stderr() -> None:
    """Log the sweep's own lines and all warnings to stderr; a trial's own log is in its folder."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(lambda record: record.name == __name__ or record.levelno >= logging.WARNING)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _run_workers(sweep: Sweep, workers: int) -> None:
    with open_study(sweep):
        pass  # so that an error is raised once, not in each process
    context = multiprocessing.get_context("spawn")
    threads = max(1, available_cpus() // workers)
    processes = [context.Process(target=_work, args=(sweep, threads)) for _ in range(workers)]
    for process in processes:
        process.start()
    with suppress(KeyboardInterrupt):  # which the terminal sends to the workers too
        for process in processes:
            process.join()
    for process in processes:
        process.join()
    codes = [process.exitcode or 0 for process in processes]
    if failed := [code for code in codes if code > 0]:
        raise SystemExit(min(failed))
    if killed := min(codes):
        raise AnimalsError(
            f"A worker was killed (signal {-killed}), usually for lack of memory. The results so far are kept; "
            "resume with the same command and fewer --workers."
        )


def _work(sweep: Sweep, threads: int) -> None:
    """Run trials in a process of their own, which ends when the process that started it is killed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stderr.isatty = lambda: False  # type: ignore[method-assign] # no progress bars: several would share the terminal
    _log_to_stderr()
    torch.set_num_threads(threads)
    with exit_on_error():
        run_trials(sweep)


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def run_trials(sweep: Sweep) -> None:
    """Run trials in this process until the study has as many as the sweep asks for.

    Raises:
        Interrupted: Ctrl-C or SIGTERM; the trial in progress is queued again.
        AnimalsError: several trials failed one after the other.
        UsageError: something that would be wrong in all trials.
    """
    enough = MaxTrialsCallback(sweep.trials, (*_FINISHED, TrialState.RUNNING))
    with open_study(sweep) as study:
        while missing := max(0, sweep.trials - len(study.get_trials(deepcopy=False, states=_FINISHED))):
            # one without values was killed before its first heartbeat
            running = [trial for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]) if trial.params]
            if missing > len(running):
                study.optimize(
                    lambda trial: _objective(trial, sweep),
                    catch=(TrialFailed,),
                    callbacks=(_stop_after_failures, enough),
                )
            else:  # wait for the last trials of other processes, and queue those whose processes were killed
                time.sleep(HEARTBEAT_SECONDS)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ExperimentalWarning)
                    fail_stale_trials(study)


def _objective(trial: Trial, sweep: Sweep) -> float:
    """Run one trial, log how it ends, and return the sweep's metric in its best epoch."""
    values = suggest(trial, sweep.space)
    shown = "  ".join(f"{name}={format_value(value)}" for name, value in values.items())
    log.info("trial %3d  starts    %s", trial.number, shown)
    config = compose_train_config([*sweep.args, *overrides(values)])
    config = replace(config, name=sweep.name, tracking=replace(config.tracking, group=sweep.name))
    folder = sweep.folder / "trials" / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{sweep.name}-{trial.number:03}"
    trial.set_user_attr("folder", folder.as_posix())
    try:
        loss, value = run_trial(trial, config, folder, sweep.metric)
    except optuna.TrialPruned as pruned:
        log.info("trial %3d  pruned    %s", trial.number, pruned)
        raise
    except (Interrupted, KeyboardInterrupt) as interrupt:
        trial.study.enqueue_trial(values)
        raise Interrupted(
            f"Interrupted in trial {trial.number}, which is queued again. Resume with the same command."
        ) from interrupt
    except UsageError:
        raise
    except Exception as error:  # out of memory has many names; an error of this program comes back in three trials
        message = str(error).strip().partition("\n")[0] or type(error).__name__
        trial.set_user_attr(_ERROR, message)
        log.warning("trial %3d  failed    %s", trial.number, message)
        raise TrialFailed(message) from error
    trial.set_user_attr(LOSS, loss)
    log.info("trial %3d  finished  %s %.4f", trial.number, sweep.metric, value)
    return value


def _stop_after_failures(study: Study, _: FrozenTrial) -> None:
    last = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()][-FAILURES:]
    if len(last) == FAILURES and all(_ERROR in trial.user_attrs for trial in last):
        raise AnimalsError(
            f"{FAILURES} trials failed one after the other, the last one with: {last[-1].user_attrs[_ERROR]}. The logs "
            f"are in the folders of {sweep_folder(study.study_name) / 'trials'}. Resume with the same command."
        )
