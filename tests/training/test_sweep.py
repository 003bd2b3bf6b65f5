"""`invoke sweep`: real studies on disk, of a tiny network on tiny pictures."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
import wandb
from optuna.trial import FrozenTrial, TrialState, create_trial

from animals.config import compose
from animals.config.training import CONF_DIR
from animals.errors import AnimalsError, ConfigError, UsageError
from animals.training.sweep import report, search, study
from animals.training.sweep.search import run_trials
from animals.training.sweep.space import check_space, overrides, read_space, suggest
from animals.training.sweep.study import RETRIES, NumberedSampler, Sweep, load_study, open_study
from tests.support.command import run

pytestmark = [pytest.mark.minutes, pytest.mark.filterwarnings("ignore:Heartbeat of storage")]

SPACE = """
optimizer.lr: {low: 1e-3, high: 1e-2, log: true}
trainer.batch_size: {choices: [8, 16]}
"""
FAST = (
    *(
        "experiment=folder",
        "method=full",
        "data.side=32",
        "data.workers=0",
        "data.cache_dir=cache",
        "model.name=test_resnet",
    ),
    *("trainer.accelerator=cpu", "trainer.precision=fp32", "tracking.mode=disabled"),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder with a search space, and take a process for killed after a second."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study, "GRACE_SECONDS", 1)
    monkeypatch.setattr(search, "HEARTBEAT_SECONDS", 1)
    (tmp_path / "space.yaml").write_text(SPACE, encoding="utf-8")
    return tmp_path


@pytest.fixture
def sweep(pictures: Path) -> Sweep:
    args = (*FAST, f"data.root={pictures}", "trainer.epochs=2")
    return Sweep(name="tiny", space=read_space("space.yaml"), args=args, trials=2)


def options(sweep: Sweep, *more: str) -> list[str]:
    return [f"--name={sweep.name}", "--space=space.yaml", f"--trials={sweep.trials}", *sweep.args, *more]


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the command as a process of a group of its own, which ends with the test."""
    with ExitStack() as ends:

        def run(*arguments: str) -> "subprocess.Popen[str]":
            line = [sys.executable, "-m", "animals", "sweep", *arguments]
            process = subprocess.Popen(
                line, start_new_session=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
            )
            ends.enter_context(process)
            ends.callback(process.kill)  # its workers end with it
            return process

        yield run


def trials_of(name: str) -> list[FrozenTrial]:
    with load_study(name) as study:
        return study.get_trials()


def states(trials: Sequence[FrozenTrial]) -> list[str]:
    return [trial.state.name for trial in trials]


def wait_for_epochs(trials: int) -> None:
    """Wait until this number of trials has finished an epoch."""
    for _ in range(3000):
        files = [path.read_text(encoding="utf-8") for path in Path().glob("runs/sweeps/*/trials/*/metrics/metrics.csv")]
        if sum(text.count("\n") > 1 for text in files) >= trials:
            return
        time.sleep(0.1)
    raise AssertionError("the trials never got so far")


def test_a_sweep_ends_with_a_table_files_and_figures_and_resumes_when_asked_for_more(
    sweep: Sweep, capsys: pytest.CaptureFixture[str]
) -> None:
    run("sweep", *options(sweep))
    first = trials_of("tiny")
    run("sweep", *options(replace(sweep, trials=3)))
    trials = trials_of("tiny")
    assert states(trials) == ["COMPLETE"] * 3
    assert [trial.params for trial in trials[:2]] == [trial.params for trial in first]
    assert len({trial.params["optimizer.lr"] for trial in trials}) == 3

    printed = capsys.readouterr().out
    assert "Sweep tiny: 3 trials finished, 0 pruned, 0 failed or interrupted, 0 running" in printed
    assert f"{max(trial.value or 0 for trial in trials):.4f}" in printed
    files = sweep.folder
    assert {"best.yaml", "trials.csv", "history.png", "slice.png"} <= {path.name for path in files.iterdir()}
    assert list(pd.read_csv(files / "trials.csv")["params_trainer.batch_size"]) == [
        trial.params["trainer.batch_size"] for trial in trials
    ]
    for trial_run in (files / "trials").iterdir():
        names = {path.name for path in trial_run.iterdir()}
        assert names == {"config.yaml", "run.log", "metrics"}, "no weights and no version"
    assert not Path("data/bucket").exists()


def test_the_best_trial_is_an_experiment_that_trains_with_its_settings(
    sweep: Sweep, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_trials(replace(sweep, trials=1))
    shutil.copytree(CONF_DIR, folder / "conf")
    monkeypatch.setattr(compose, "CONF_DIR", folder / "conf")
    monkeypatch.setattr(report, "EXPERIMENTS", folder / "conf" / "experiment")
    run("sweep", "--report", "--name=tiny", "--save=best")
    best = trials_of("tiny")[0].params
    config = compose.compose_train_config(["experiment=best"])
    assert (config.optimizer.lr, config.trainer.batch_size) == (best["optimizer.lr"], best["trainer.batch_size"])
    assert replace(config, name="folder") == compose.compose_train_config(
        [*sweep.args, *overrides(best), "tracking.mode=auto"]
    )
    with load_study("tiny") as loaded, pytest.raises(UsageError, match="There is an experiment best already"):
        report.save(loaded, "best")


def test_the_same_seed_tries_the_same_values_also_after_a_break(sweep: Sweep) -> None:
    whole, parts = optuna.create_study(sampler=NumberedSampler(0)), optuna.create_study()

    def objective(trial: optuna.Trial) -> float:
        suggest(trial, sweep.space)
        return float(trial.params["optimizer.lr"])

    whole.optimize(objective, n_trials=12)
    for trials in (1, 5, 6):
        parts.sampler = NumberedSampler(0)
        parts.optimize(objective, n_trials=trials)
    assert len({trial.params["optimizer.lr"] for trial in parts.trials}) == 12
    assert [trial.params for trial in parts.trials] == [trial.params for trial in whole.trials]


def test_two_workers_share_a_sweep(sweep: Sweep, start: Start) -> None:
    process = start(*options(replace(sweep, trials=5), "--workers=2"))
    printed, errors = process.communicate()
    assert process.returncode == 0, errors
    trials = trials_of("tiny")
    assert states(trials) in (["COMPLETE"] * 5, ["COMPLETE"] * 6)  # two may end at once and both begin another
    assert len({trial.params["optimizer.lr"] for trial in trials}) == len(trials)
    first, second = trials[:2]
    assert first.datetime_complete is not None
    assert second.datetime_start is not None
    assert second.datetime_start < first.datetime_complete
    assert f"{len(trials)} trials finished" in printed


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups to send Ctrl-C to")
def test_ctrl_c_ends_all_workers_and_queues_their_trials(sweep: Sweep, start: Start) -> None:
    long = replace(sweep, args=(*sweep.args, "trainer.epochs=1000"))
    process = start(*options(long, "--workers=2"))
    wait_for_epochs(2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in errors
    trials = trials_of("tiny")
    assert sorted(states(trials)) == ["FAIL", "FAIL", "WAITING", "WAITING"]
    with open_study(long) as study:
        again = [suggest(study.ask(), long.space) for _ in range(2)]
    assert sorted(map(str, again)) == sorted(str(trial.params) for trial in trials if trial.state == TrialState.FAIL)


def test_a_killed_sweep_repeats_only_the_trial_in_progress(sweep: Sweep, start: Start) -> None:
    changed = replace(sweep, trials=1, args=(*sweep.args, "trainer.epochs=30"))
    process = start(*options(changed))
    wait_for_epochs(1)
    process.kill()
    process.communicate()
    run_trials(changed)
    killed, repeated = trials_of("tiny")
    assert (killed.state, repeated.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert killed.params == repeated.params
    run_trials(changed)
    assert len(trials_of("tiny")) == 2


def test_a_trial_that_kills_its_workers_is_not_repeated_for_ever(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "run_trial", lambda *_: (1.0, 0.5))
    killed = create_trial(
        state=TrialState.RUNNING,
        params={"optimizer.lr": 5e-3, "trainer.batch_size": 8},
        distributions=sweep.space,
        system_attrs={"failed_trial": 0, "retry_history": list(range(RETRIES))},
    )
    with open_study(sweep) as opened:
        opened.add_trial(killed)
        opened._storage.record_heartbeat(1)  # type: ignore[attr-defined] # what the process did before it was killed
    run_trials(replace(sweep, trials=1))
    first, other = trials_of("tiny")
    assert (first.state, other.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert first.params != other.params


def test_a_hopeless_learning_rate_is_pruned_and_its_wandb_run_ends_well(
    sweep: Sweep, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "wide.yaml").write_text("optimizer.lr: {low: 1e-9, high: 1, log: true}", encoding="utf-8")
    changed = replace(sweep, space=read_space("wide.yaml"), trials=6)
    changed = replace(changed, args=(*sweep.args, "trainer.epochs=9", "tracking.mode=offline"))
    ended: list[Any] = []
    finish = wandb.Run.finish

    def note(run: wandb.Run, exit_code: int) -> None:
        finish(run, exit_code)
        ended.extend([run, exit_code])

    monkeypatch.setattr(wandb.Run, "finish", note)
    with open_study(changed) as study:
        for _ in range(5):
            epochs = dict.fromkeys(range(9), 0.9)
            values: dict[str, Any] = {"params": {"optimizer.lr": 1e-2}, "distributions": changed.space}
            study.add_trial(create_trial(value=0.9, intermediate_values=epochs, **values))
        study.enqueue_trial({"optimizer.lr": 1e-9})
    run_trials(changed)
    pruned = trials_of("tiny")[-1]
    assert pruned.state == TrialState.PRUNED
    assert len(pruned.intermediate_values) == 2
    run, exit_code = ended
    assert (run.group, run.name, exit_code) == ("tiny", Path(pruned.user_attrs["folder"]).name, 0)


def test_a_trial_that_diverges_is_pruned_at_once(sweep: Sweep, folder: Path) -> None:
    (folder / "wild.yaml").write_text("optimizer.lr: {low: 1e30, high: 1e31}", encoding="utf-8")
    run_trials(replace(sweep, space=read_space("wild.yaml"), trials=1))
    (diverged,) = trials_of("tiny")
    assert (diverged.state, diverged.intermediate_values) == (TrialState.PRUNED, {})


def test_a_failed_trial_is_recorded_and_the_sweep_continues(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_trial(trial: optuna.Trial, *_: Any) -> tuple[float, float]:
        if trial.number in (0, 1, 3):
            raise RuntimeError("CUDA out of memory\nand much more")
        return 1.0, 0.5

    monkeypatch.setattr(search, "run_trial", run_trial)
    run_trials(replace(sweep, trials=2))
    trials = trials_of("tiny")
    assert states(trials) == ["FAIL", "FAIL", "COMPLETE", "FAIL", "COMPLETE"]
    assert trials[0].user_attrs["error"] == "CUDA out of memory"


@pytest.mark.parametrize(
    ("override", "error", "failed"),
    [
        ("", r"3 trials failed .*, the last one with: The decoded pictures", 3),
        ("data.root=empty", "empty", 1),  # which no trial could use
    ],
)
def test_errors_end_the_sweep_at_the_third_in_a_row_or_at_once_if_all_trials_would_have_them(
    sweep: Sweep, folder: Path, override: str, error: str, failed: int
) -> None:
    (folder / "cache").write_text("no folder", encoding="utf-8")
    (folder / "empty").mkdir()
    with pytest.raises(AnimalsError, match=error):
        run_trials(replace(sweep, args=(*sweep.args, *filter(None, [override])), trials=9))
    assert states(trials_of("tiny")) == ["FAIL"] * failed


def test_another_sweep_of_the_same_name_is_refused(sweep: Sweep) -> None:
    with open_study(sweep):
        pass
    with (
        pytest.raises(ConfigError, match="started with another --args, --metric"),
        open_study(replace(sweep, args=("data.side=64",), metric="val/loss")),
    ):
        pass


def test_a_report_shows_what_there_is(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    def report_with(trials: int) -> str:
        for number in range(len(opened.trials), trials):
            opened.add_trial(
                create_trial(
                    value=number / 4,
                    params={"optimizer.lr": 2e-3 * (number + 1), "trainer.batch_size": 8},
                    distributions=sweep.space,
                    user_attrs={"loss": 1.0 - number / 10},
                )
            )
        run("sweep", "--report", "--name=tiny")
        return capsys.readouterr().out

    with open_study(sweep) as opened:
        assert "No trial has finished yet" in report_with(0)
        with pytest.raises(UsageError, match="nothing to save"):
            report.save(opened, "best")
        assert "Figures need two finished trials" in report_with(1)
        report_with(4)
        assert (sweep.folder / "importances.png").is_file()
        assert [trial.number for trial in report.ranked(opened)] == [3, 2, 1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer.lrr: {low: 1, high: 2}", r"There is no setting optimizer\.lrr\. Did you mean lr\?"),
        ("optimizer.lr: {low: 2, high: 1}", "`low <= high` must hold"),
        ("optimizer.lr: {low: 0, high: 1, log: true}", "`low > 0` must hold"),
        ("optimizer.lr: {low: 1, high: 2, log: 3}", "log: Input should be a valid boolean"),
        ("optimizer.lr: {low: one, high: 2}", r"optimizer\.lr is .*, where low: Input should be a valid number"),
        ("optimizer.lr: {low: 1, high: .inf}", "high: Input should be a finite number"),
        ("optimizer.lr: {low: 1, high: 2, lgo: true}", "lgo: Extra inputs are not permitted"),
        ("optimizer.lr: {low: 1}", "high: Field required"),
        ("optimizer.lr: 1", "expected {low: ..., high: ...} or {choices: "),
        ("trainer.batch_size: {low: 1.5, high: 2}", "low: Input should be a valid integer"),
        ("scheduler.name: {low: 1, high: 2}", "is no number"),
        ("scheduler.name: {choices: [cosine]}", "choices: List should have at least 2 items"),
        ("scheduler.name: {choices: [[1], 2]}", r"choices\.0\.bool: Input should be a valid boolean"),
        ("trainer.devices: {choices: [1, 2]}", "not for searching"),
        ("data.val: {low: 0.1, high: 0.2}", "same for all trials"),
        ("[1, 2]", "names no setting"),
        ("", "names no setting"),
        ("a: {", "cannot be read as YAML"),
    ],
)
def test_a_mistake_in_a_search_space_is_named(text: str, message: str, folder: Path) -> None:
    (folder / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message.replace("{", r"\{")):
        read_space("bad.yaml")


def test_the_error_for_an_unknown_search_space_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no search space sampel\. .*one of: sample"):
        read_space("sampel")
    with pytest.raises(ConfigError, match=r"There is no search space gone\.yaml"):
        read_space("gone.yaml")
    assert "optimizer.lr" in read_space("sample")


@pytest.mark.parametrize(
    ("text", "args", "message"),
    [
        ("optimizer.lr: {low: -1, high: 1}", (), r"optimizer\.lr is -1\.0; expected more than 0"),
        ("scheduler.name: {choices: [cosine, sine]}", (), r'scheduler\.name is "sine"'),
        (SPACE, ("optimizer.lrr=1",), r"There is no setting optimizer\.lrr"),
        (SPACE, ("trainer.devices=2",), "A trial trains on one device"),
    ],
)
def test_impossible_values_are_found_before_the_first_trial(
    text: str, args: Sequence[str], message: str, folder: Path
) -> None:
    (folder / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        check_space(read_space("bad.yaml"), args)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--report", "--name=gone"], "error: There is no sweep gone under "),
        (["--report", "--name=a/b"], 'error: The sweep\'s name is "a/b"; expected letters'),
        (["--space=space.yaml", "--name=x", "optimizer.lrr=1"], "error: There is no setting optimizer.lrr."),
        (["--trials=0"], "Invalid value for '--trials'"),
    ],
)
def test_a_mistake_on_the_command_line_is_named_with_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("sweep", *arguments)
    assert message in capsys.readouterr().err
