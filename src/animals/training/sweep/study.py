"""The study of a sweep: a database in its folder, `runs/sweeps/<name>/study.db`, which several processes share."""

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import optuna
from filelock import FileLock
from optuna.distributions import distribution_to_json
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import Study
from optuna.trial import FrozenTrial

from animals.errors import ConfigError, UsageError
from animals.training.runs import RUNS
from animals.training.sweep.space import Space

RETRIES: Final = 3
"""Times that a trial is repeated when its process is killed: it may be what kills it."""

HEARTBEAT_SECONDS: Final = 5
GRACE_SECONDS: Final = 30
"""Seconds without a heartbeat after which a trial's process counts as killed."""

LOSS: Final = "loss"
"""Attribute of a trial: its lowest validation loss."""

SETTINGS: Final = "settings"
"""Attribute of a study: `Sweep.settings` of the call that started it."""

_STUDY: Final = "study.db"
_BUSY_SECONDS: Final = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """The settings of a sweep."""

    name: str
    space: Space
    args: Sequence[str] = ()
    """Hydra overrides of every trial."""
    metric: str = "val/accuracy"
    """Or `val/loss`."""
    seed: int = 0
    trials: int = 20
    """Trials to finish or prune, by all processes and calls together."""

    @property
    def folder(self) -> Path:
        """The folder of the study and the trials."""
        return sweep_folder(self.name)

    @property
    def settings(self) -> dict[str, Any]:
        """What must be the same in each call with the same name."""
        space = {key: json.loads(distribution_to_json(values)) for key, values in self.space.items()}
        return {"space": space, "args": list(self.args), "metric": self.metric, "seed": self.seed}


class NumberedSampler(optuna.samplers.TPESampler):
    """Optuna's TPE, with random numbers that follow from a seed and the trial's number.

    With one generator for each process, all would begin with the same values, and so would a sweep that is resumed.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed=seed)
        self._seed = seed

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:  # noqa: ARG002 - Optuna's signature
        """Begin anew with the trial's own seed."""
        super().__init__(seed=self._seed * 100_003 + trial.number)


def sweep_folder(name: str) -> Path:
    """Return the folder of a sweep.

    Raises:
        ConfigError: the name cannot be part of a path and of a run's name.
    """
    if not name.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(f'The sweep\'s name is "{name}"; expected letters, digits, - and _ only.')
    return RUNS / "sweeps" / name


@contextmanager
def open_study(sweep: Sweep) -> Iterator[Study]:
    """Yield the sweep's study; create it where there is none.

    Raises:
        ConfigError: a sweep of this name was started with other settings.
    """
    sweep.folder.mkdir(parents=True, exist_ok=True)
    with _storage(sweep.folder) as storage:
        study = optuna.create_study(
            storage=storage,
            study_name=sweep.name,
            direction="minimize" if sweep.metric == "val/loss" else "maximize",
            sampler=NumberedSampler(sweep.seed),
            # worse than the median of five others; in its first epoch no trial has warmed up
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
            load_if_exists=True,
        )
        before = study.user_attrs.get(SETTINGS, sweep.settings)
        study.set_user_attr(SETTINGS, before)
        if different := [f"--{key}" for key, value in sweep.settings.items() if before[key] != value]:
            raise ConfigError(
                f"The sweep {sweep.name} was started with another {', '.join(different)}, whose trials could not be "
                "compared with these. Give the same again, or this sweep another --name."
            )
        yield study


@contextmanager
def load_study(name: str) -> Iterator[Study]:
    """Yield the study of a sweep that was started before.

    Raises:
        UsageError: there is none of this name.
    """
    folder = sweep_folder(name)
    if not (folder / _STUDY).is_file():
        known = sorted(path.parent.name for path in folder.parent.glob(f"*/{_STUDY}"))
        raise UsageError(f"There is no sweep {name} under {folder.parent}. Known: {', '.join(known) or 'none'}.")
    with _storage(folder) as storage:
        yield optuna.load_study(storage=storage, study_name=name)


@contextmanager
def _storage(folder: Path) -> Iterator[RDBStorage]:
    with FileLock(folder / "study.lock"), warnings.catch_warnings():  # two processes cannot create the tables at once
        warnings.simplefilter("ignore", ExperimentalWarning)  # the heartbeat
        storage = RDBStorage(
            f"sqlite:///{(folder / _STUDY).as_posix()}",
            engine_kwargs={"connect_args": {"timeout": _BUSY_SECONDS}},
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
        )
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()
