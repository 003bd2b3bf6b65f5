"""The results of a sweep: a table, files for programs, an experiment file and figures."""

import logging
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict
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
from animals.training.sweep.space import format_value, overrides
from animals.training.sweep.study import LOSS, SETTINGS, load_study, sweep_folder

log = logging.getLogger(__name__)

ROWS: Final = 10
"""Trials in the table."""

EXPERIMENTS: Final = CONF_DIR / "experiment"

_NOT_KEPT: Final = ("bucket", "promote", "tracking", "name")
"""Settings that say nothing of how good a model is."""


def report(name: str, save_as: str = "") -> None:
    """Print the best trials of a sweep, and write trials.csv, best.yaml and figures into its folder.

    `save_as` names the experiment to save the best trial's settings as, if any.

    Raises:
        UsageError: there is no such sweep, or nothing to save, or an experiment of that name.
    """
    with load_study(name) as study:
        _report(study, sweep_folder(name), Console(soft_wrap=True))
        if save_as:
            sys.stdout.write(f"Experiment {save(study, save_as)}; train with: experiment={save_as}\n")


def _report(study: Study, folder: Path, console: Console) -> None:
    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    console.print(
        f"Sweep {study.study_name}: {states.count(TrialState.COMPLETE)} trials finished, "
        f"{states.count(TrialState.PRUNED)} pruned, {states.count(TrialState.FAIL)} failed or interrupted, "
        f"{states.count(TrialState.RUNNING)} running"
    )
    frame = study.trials_dataframe(attrs=("number", "state", "value", "duration", "params", "user_attrs"))
    frame.to_csv(folder / "trials.csv", index=False)
    best = ranked(study)
    if not best:
        console.print("No trial has finished yet, so there is no best one.")
        return
    console.print(_table(study, best[:ROWS]), soft_wrap=False)
    (folder / "best.yaml").write_text(experiment(study), encoding="utf-8")
    console.print(f"Best     {folder / 'best.yaml'}, an experiment file: keep it with --report --save NAME")
    if len(best) < 2:
        console.print("Figures need two finished trials or more.")
        return
    console.print(f"Figures  {', '.join(str(path) for path in draw(study, folder))}")


def ranked(study: Study) -> list[FrozenTrial]:
    """Return the finished trials, the best first; of equals, which are common on few pictures, the lower loss first."""
    sign = -1 if study.direction == StudyDirection.MAXIMIZE else 1
    finished = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return sorted(finished, key=lambda trial: (sign * (trial.value or 0.0), trial.user_attrs[LOSS], trial.number))


def _table(study: Study, best: list[FrozenTrial]) -> Table:
    settings = study.user_attrs[SETTINGS]
    titles = ("trial", settings["metric"], "loss", "seconds", *settings["space"])
    table = Table(*(Column(title, overflow="fold") for title in titles))
    for trial in best:
        seconds = trial.duration.total_seconds() if trial.duration else 0
        table.add_row(
            *(str(trial.number), f"{trial.value:.4f}", f"{trial.user_attrs[LOSS]:.4f}", f"{seconds:.0f}"),
            *(format_value(trial.params[name]) for name in settings["space"]),
        )
    return table


def experiment(study: Study) -> str:
    """Return the best trial's configuration, where it is not the default, as an experiment file for Hydra."""
    settings, best = study.user_attrs[SETTINGS], ranked(study)[0]
    config = compose_train_config([*settings["args"], *overrides(best.params)])
    changed = _changed(asdict(config), asdict(TrainConfig()))
    kept = {key: value for key, value in changed.items() if key not in _NOT_KEPT} | {"name": study.study_name}
    return (
        "# @package _global_\n"
        f"# Trial {best.number} of the sweep {study.study_name}: {settings['metric']} {best.value:.4f} "
        f"after {config.trainer.epochs} epochs.\n{OmegaConf.to_yaml(kept)}"
    )


def _changed(value: Any, default: Any) -> Any:
    """Return the settings that differ from the defaults, section by section."""
    if not isinstance(value, dict) or not isinstance(default, dict):
        return value
    return {key: _changed(value[key], default.get(key)) for key in value if value[key] != default.get(key)}


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
    from matplotlib import pyplot
    from optuna.visualization import matplotlib as plots

    figures: dict[str, Callable[..., Any]] = {"history": plots.plot_optimization_history, "slice": plots.plot_slice}
    if len({trial.value for trial in ranked(study)}) > 1:
        figures["importances"] = plots.plot_param_importances
    else:
        log.warning("All finished trials are equally good, so no setting can be called important.")
    paths = []
    for name, plot in figures.items():
        with warnings.catch_warnings(), pyplot.rc_context():  # Optuna sets a style for all figures that follow
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # of a setting that had the same value in all finished trials
            warnings.filterwarnings("ignore", "Attempting to set identical low and high")
            plot(study, target_name=study.user_attrs[SETTINGS]["metric"])
            paths.append(folder / f"{name}.png")
            pyplot.savefig(paths[-1], dpi=100, bbox_inches="tight")
            pyplot.close()
    return paths
