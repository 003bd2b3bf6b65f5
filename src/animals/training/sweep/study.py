"""A sweep's memory on disk, `runs/sweeps/<name>/study.db`, which several processes share.

All that counts trials or hands them out happens under one lock. A worker holds a lock of its own for as long as it
lives, which its system takes from it however it ends: so it is known at once which running trials nobody works on.
"""

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import optuna
from filelock import FileLock, Timeout
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from animals.errors import ConfigError, UsageError
from animals.training.runs import RUNS
from animals.training.sweep.space import Space

METRICS: Final[dict[str, StudyDirection]] = {
    "val/accuracy": StudyDirection.MAXIMIZE,
    "val/loss": StudyDirection.MINIMIZE,
}
"""What a sweep may look for, and which way."""

TRIES: Final = 3
"""A trial whose worker was killed so often counts as failed: it may be what kills it."""

FOLDER: Final = "folder"
"""Attribute of a trial that names its folder."""

LOSS: Final = "loss"
"""Attribute of a trial that holds its lowest validation loss."""

_STUDY: Final = "study.db"
_BUSY_SECONDS: Final = 60
_ASKED: Final = "asked"
_INTERRUPTED: Final = "interrupted"
_WORKER: Final = "worker"
_TRIED: Final = "tried"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What was asked for."""

    name: str
    space: Space
    args: Sequence[str] = ()
    """Hydra overrides of every trial."""
    metric: str = "val/accuracy"
    seed: int = 0
    trials: int = 20
    """Of the whole sweep, by all workers and calls together."""

    @property
    def folder(self) -> Path:
        """Where all of it lies."""
        return sweep_folder(self.name)

    @property
    def asked(self) -> dict[str, Any]:
        """What must be the same in each call of the same name."""
        space = {key: json.loads(distribution_to_json(values)) for key, values in self.space.items()}
        return {"space": space, "args": list(self.args), "metric": self.metric, "seed": self.seed}


def sweep_folder(name: str) -> Path:
    """The folder of a sweep.

    Raises:
        ConfigError: the name cannot be part of a path and of a run's name.
    """
    if not name.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(f'The sweep\'s name is "{name}"; expected letters, digits, - and _ only.')
    return RUNS / "sweeps" / name


@contextmanager
def opened(sweep: Sweep) -> Iterator[Study]:
    """The sweep's study, made if it is not there.

    Raises:
        ConfigError: a sweep of this name was started with something else.
    """
    sweep.folder.mkdir(parents=True, exist_ok=True)
    with _lock(sweep.folder):  # two processes that make the tables at once would fail
        storage = _storage(sweep.folder)
        study = optuna.create_study(
            storage=storage,
            study_name=sweep.name,
            direction=METRICS[sweep.metric],
            # worse than the median of five others; in its first epoch no trial has warmed up
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
            load_if_exists=True,
        )
        before = study.user_attrs.get(_ASKED)
        if before is None:
            study.set_user_attr(_ASKED, sweep.asked)
    try:
        if before not in (None, sweep.asked):
            different = [f"--{key}" for key, value in sweep.asked.items() if before[key] != value]
            raise ConfigError(
                f"The sweep {sweep.name} was started with another {', '.join(different)}, whose trials could not be "
                "compared with these. Give the same again, or this sweep another --name."
            )
        yield study
    finally:
        _close(storage)


@contextmanager
def existing(name: str) -> Iterator[Study]:
    """The study of a sweep that was started before, to look at.

    Raises:
        UsageError: there is none of this name.
    """
    folder = sweep_folder(name)
    if not (folder / _STUDY).is_file():
        known = sorted(path.parent.name for path in folder.parent.glob(f"*/{_STUDY}"))
        raise UsageError(f"There is no sweep {name} under {folder.parent}. Known: {', '.join(known) or 'none'}.")
    storage = _storage(folder)
    try:
        yield optuna.load_study(storage=storage, study_name=name)
    finally:
        _close(storage)


def asked_before(study: Study) -> dict[str, Any]:
    """`Sweep.asked` of the call that started the study."""
    asked: dict[str, Any] = study.user_attrs[_ASKED]
    return asked


def _storage(folder: Path) -> RDBStorage:
    url = f"sqlite:///{(folder / _STUDY).as_posix()}"
    return RDBStorage(url, engine_kwargs={"connect_args": {"timeout": _BUSY_SECONDS}})


def _close(storage: RDBStorage) -> None:
    storage.remove_session()
    storage.engine.dispose()


def _lock(folder: Path) -> FileLock:
    return FileLock(folder / "study.lock")


@contextmanager
def signed_in(folder: Path) -> Iterator[str]:
    """Be a worker of the sweep as long as the block lasts; gives its name."""
    worker = uuid.uuid4().hex[:8]
    path = _sign(folder, worker)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        yield worker
    path.unlink(missing_ok=True)


def _sign(folder: Path, worker: str) -> Path:
    return folder / "workers" / f"{worker}.lock"


def _works(folder: Path, worker: str) -> bool:
    path = _sign(folder, worker)
    if not path.is_file():
        return False
    try:
        with FileLock(path, timeout=0):
            pass
    except Timeout:
        return True
    path.unlink(missing_ok=True)
    return False


def next_trial(study: Study, sweep: Sweep, worker: str) -> Trial | None:
    """A trial to run, with its values chosen; None when all are done or being done."""
    with _lock(sweep.folder):
        _take_back(study, sweep.folder)
        trials = study.get_trials(deepcopy=False)
        if len(counted(study)) >= sweep.trials:
            return None
        # Of the seed and the number alone: workers with one generator each would begin with the same values, and so
        # would a sweep that goes on.
        study.sampler = optuna.samplers.TPESampler(seed=sweep.seed * 100_003 + len(trials))
        trial = study.ask(sweep.space)
        trial.set_user_attr(_WORKER, worker)
        return trial


def counted(study: Study) -> list[FrozenTrial]:
    """The trials that count: those that are done or being done, without those that were interrupted."""
    interrupted = study.user_attrs.get(_INTERRUPTED, [])
    trials = study.get_trials(deepcopy=False)
    return [trial for trial in trials if trial.state != TrialState.WAITING and trial.number not in interrupted]


def _take_back(study: Study, folder: Path) -> None:
    """Queue the trials of workers that are no more."""
    for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        # without a worker's name: killed between asking and signing, both under the lock that is held now
        if not _works(folder, trial.user_attrs.get(_WORKER, "none")):
            _queue_again(study, trial.number, trial.params, tried=trial.user_attrs.get(_TRIED, 0) + 1)


def give_back(study: Study, sweep: Sweep, trial: Trial) -> None:
    """Queue a trial that was interrupted on purpose."""
    with _lock(sweep.folder):
        _queue_again(study, trial.number, trial.params, tried=trial.user_attrs.get(_TRIED, 0))


def _queue_again(study: Study, number: int, values: dict[str, Any], *, tried: int) -> None:
    study.tell(number, state=TrialState.FAIL)
    if tried < TRIES:
        study.set_user_attr(_INTERRUPTED, [*study.user_attrs.get(_INTERRUPTED, []), number])
        study.enqueue_trial(values, user_attrs={_TRIED: tried})
