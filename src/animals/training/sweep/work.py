"""A worker: takes one trial after the other until all are done."""

import logging
from collections.abc import Callable
from typing import Any, Final

import optuna
from optuna.study import Study
from optuna.trial import Trial, TrialState

from animals.errors import AnimalsError, Interrupted, UsageError
from animals.training.sweep.study import Sweep, give_back, next_trial, opened, signed_in

log = logging.getLogger(__name__)

Stopped = Callable[[], bool]
"""Whether the sweep is to end now."""

FAILURES: Final = 3
"""Trials of one worker that fail in a row before it takes the next one for hopeless, too."""


def say_what_happens() -> None:
    """Log the sweep's own lines and all warnings to stderr; what a trial says of itself is in its folder."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(lambda record: record.name.startswith(__package__) or record.levelno >= logging.WARNING)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def work(sweep: Sweep, stopped: Stopped = lambda: False) -> None:
    """Run trials in this process until the sweep has all of them.

    Raises:
        Interrupted: Ctrl-C, SIGTERM, or `stopped` said so; the trial in progress is queued again.
        AnimalsError: several trials failed in a row.
        UsageError: something that would be wrong in all trials.
    """
    failures = 0
    with signed_in(sweep.folder) as worker, opened(sweep) as study:
        while not stopped() and (trial := next_trial(study, sweep, worker)):
            error = _run(study, sweep, trial, stopped)
            failures = failures + 1 if error else 0
            if failures == FAILURES:
                raise AnimalsError(
                    f"{FAILURES} trials failed in a row, the last one with: {_one_line(error)}. What was done stays; "
                    f"the logs are in {sweep.folder / 'trials'}. Go on with the same command."
                ) from error


def _run(study: Study, sweep: Sweep, trial: Trial, stopped: Stopped) -> Exception | None:
    """Run one trial and tell the study how it ended; gives the error of one that failed."""
    from animals.training.sweep.trial import run_trial  # torch takes seconds to import, and not every call needs it

    log.info("trial %3d  starts    %s", trial.number, _values(trial))
    try:
        value = run_trial(sweep, trial, stopped)
    except optuna.TrialPruned as pruned:
        study.tell(trial, state=TrialState.PRUNED)
        log.info("trial %3d  pruned    %s", trial.number, pruned)
    except (Interrupted, KeyboardInterrupt) as interrupt:
        give_back(study, sweep, trial)
        raise Interrupted(
            f"Interrupted in trial {trial.number}, which is queued again. Go on with the same command."
        ) from interrupt
    except UsageError as error:
        _fail(study, trial, error)
        raise
    except Exception as error:  # noqa: BLE001 - out of memory has many names; a fault comes back in three trials
        _fail(study, trial, error)
        return error
    else:
        study.tell(trial, value)
        log.info("trial %3d  finished  %s %.4f", trial.number, sweep.metric, value)
    return None


def _fail(study: Study, trial: Trial, error: Exception) -> None:
    trial.set_user_attr("error", _one_line(error))
    study.tell(trial, state=TrialState.FAIL)
    log.warning("trial %3d  failed    %s", trial.number, _one_line(error))


def _one_line(error: Exception | None) -> str:
    said = str(error).strip().partition("\n")[0]
    return said or type(error).__name__


def _values(trial: Trial) -> str:
    return "  ".join(f"{key}={shown(value)}" for key, value in trial.params.items())


def shown(value: Any) -> str:
    """A setting's value for people."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
