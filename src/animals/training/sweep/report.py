"""What a sweep found: a table, files for programs, an experiment file, figures."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import optuna
from omegaconf import OmegaConf
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.table import Column, Table

from animals.config.compose import compose_train_config
from animals.config.training import CONF_DIR, TrainConfig
from animals.errors import ConfigError, UsageError
from animals.training.sweep.space import overrides
from animals.training.sweep.study import LOSS, asked_before, counted
from animals.training.sweep.work import shown

log = logging.getLogger(__name__)

SHOWN: Final = 10
"""Trials in the table."""

EXPERIMENTS: Final = CONF_DIR / "experiment"

_NOT_KEPT: Final = ("bucket", "promote", "tracking")
"""Settings that say nothing of how good a model is."""


def report(study: Study, folder: Path, console: Console) -> None:
    """Print the best trials; write trials.csv, best.yaml and the figures into the sweep's folder."""
    trials = counted(study)
    states = {state: sum(trial.state == state for trial in trials) for state in TrialState}
    console.print(
        f"Sweep {study.study_name}: {states[TrialState.COMPLETE]} trials finished, {states[TrialState.PRUNED]} pruned, "
        f"{states[TrialState.FAIL]} failed, {states[TrialState.RUNNING]} running"
    )
    table = study.trials_dataframe(attrs=("number", "state", "value", "duration", "params", "user_attrs"))
    table.to_csv(folder / "trials.csv", index=False)
    done = ranked(study)
    if not done:
        console.print("No trial has finished yet, so there is no best one.")
        return
    console.print(_table(study, done))
    (folder / "best.yaml").write_text(experiment(study), encoding="utf-8")
    console.print(
        f"Best     {folder / 'best.yaml'}, an experiment file: keep it with --report --save NAME", soft_wrap=True
    )
    if len(done) < 2:
        console.print("Figures need two finished trials or more.")
        return
    console.print(f"Figures  {', '.join(str(path) for path in draw(study, folder))}", soft_wrap=True)


def ranked(study: Study) -> list[FrozenTrial]:
    """The finished trials, the best first; of equals, as few pictures give many, the one with the lower loss."""
    sign = -1 if study.direction == StudyDirection.MAXIMIZE else 1
    done = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return sorted(done, key=lambda trial: (sign * (trial.value or 0.0), trial.user_attrs[LOSS], trial.number))


def _table(study: Study, done: list[FrozenTrial]) -> Table:
    names = list(asked_before(study)["space"])
    titles = ("trial", asked_before(study)["metric"], "loss", "seconds", *names)
    table = Table(*(Column(title, overflow="fold") for title in titles))
    for trial in done[:SHOWN]:
        seconds = trial.duration.total_seconds() if trial.duration else 0
        values = [shown(trial.params[name]) for name in names]
        table.add_row(
            str(trial.number), f"{trial.value:.4f}", f"{trial.user_attrs[LOSS]:.4f}", f"{seconds:.0f}", *values
        )
    return table


def experiment(study: Study) -> str:
    """The best trial's whole configuration, as far as it is not the default, as an experiment file for Hydra."""
    asked, best = asked_before(study), ranked(study)[0]
    config = compose_train_config([*asked["args"], *overrides(best.params)])
    settings = _other(_plain(config), _plain(TrainConfig))
    kept = {key: value for key, value in settings.items() if key not in _NOT_KEPT} | {"name": study.study_name}
    return (
        "# @package _global_\n"
        f"# Trial {best.number} of the sweep {study.study_name}: {asked['metric']} {best.value:.4f} "
        f"after {config.trainer.epochs} epochs.\n{OmegaConf.to_yaml(OmegaConf.create(kept))}"
    )


def _plain(config: TrainConfig | type[TrainConfig]) -> Any:
    return OmegaConf.to_container(OmegaConf.structured(config))


def _other(settings: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """The settings that differ from the defaults."""
    other: dict[str, Any] = {}
    for key, value in settings.items():
        default = defaults.get(key)
        if isinstance(value, dict) and isinstance(default, dict):
            if inner := _other(value, default):
                other[key] = inner
        elif value != default:
            other[key] = value
    return other


def save(study: Study, name: str) -> Path:
    """Write the best trial's settings where `experiment=<name>` finds them.

    Raises:
        UsageError: no trial has finished, or there is an experiment of that name.
    """
    path = EXPERIMENTS / f"{name}.yaml"
    if not name.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(f'--save is "{name}"; expected letters, digits, - and _ only.')
    if path.exists():
        raise UsageError(f"There is an experiment {name} already, {path}. Choose another name for --save.")
    if not ranked(study):
        raise UsageError(f"No trial of the sweep {study.study_name} has finished, so there is nothing to save.")
    path.write_text(experiment(study), encoding="utf-8")
    return path


def draw(study: Study, folder: Path) -> list[Path]:
    """Draw Optuna's figures: how the best value rose, what each setting gave, and which settings matter."""
    from optuna.visualization import matplotlib as plots

    name = asked_before(study)["metric"]
    figures: dict[str, Callable[[], Any]] = {
        "history": lambda: plots.plot_optimization_history(study, target_name=name),
        "slice": lambda: plots.plot_slice(study, target_name=name),
    }
    if len({trial.value for trial in ranked(study)}) > 1:  # where all are equally good, nothing matters
        figures["importances"] = lambda: plots.plot_param_importances(study, target_name=name)
    else:
        log.warning("All finished trials are equally good, so no setting can be called important.")
    return [_save(figure, folder / f"{title}.png") for title, figure in figures.items()]


def _save(draw_figure: Callable[[], Any], path: Path) -> Path:
    from matplotlib import pyplot

    with _optuna_style(), pyplot.rc_context():
        draw_figure()
        figure = pyplot.gcf()
        figure.savefig(path, dpi=100, bbox_inches="tight")
        pyplot.close(figure)
    return path


@contextmanager
def _optuna_style() -> Iterator[None]:
    """Optuna calls its figures experimental, and sets a style for all that follow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # of a setting that had the same value in all finished trials
        warnings.filterwarnings("ignore", "Attempting to set identical low and high")
        yield
