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
from animals.errors import AnimalsError, ConfigError, DataError, Interrupted, UsageError
from animals.training.sweep import report, trial
from animals.training.sweep.space import check_space, overrides, read_space
from animals.training.sweep.study import Sweep, counted, existing, next_trial, opened, signed_in
from animals.training.sweep.work import work
from tests.support.command import run

SPACE = """
optimizer.lr: {low: 1e-3, high: 1e-2, log: true}
trainer.batch_size: {choices: [8, 16]}
"""
FAST = (
    *("experiment=folder", "data.side=32", "data.workers=0", "data.cache_dir=cache", "model.name=test_resnet"),
    *("trainer.accelerator=cpu", "trainer.precision=fp32", "tracking.mode=disabled"),
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with a search space."""
    monkeypatch.chdir(tmp_path)
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
    with existing(name) as study:
        return study.get_trials()


def states(trials: Sequence[FrozenTrial]) -> list[str]:
    return [trial.state.name for trial in trials]


def wait_for_epochs(trials: int) -> None:
    """Wait until so many trials have done an epoch."""
    for _ in range(3000):
        files = [path.read_text(encoding="utf-8") for path in Path().glob("runs/sweeps/*/trials/*/metrics/metrics.csv")]
        if sum(text.count("\n") > 1 for text in files) >= trials:
            return
        time.sleep(0.1)
    raise AssertionError("the trials never got so far")


def test_a_sweep_ends_with_a_table_files_and_figures_and_goes_on_when_asked_for_more(
    sweep: Sweep, capsys: pytest.CaptureFixture[str]
) -> None:
    run("sweep", *options(sweep))
    first = trials_of("tiny")
    run("sweep", *options(replace(sweep, trials=3)))
    trials = trials_of("tiny")
    assert states(trials) == ["COMPLETE"] * 3
    assert [trial.params for trial in trials[:2]] == [trial.params for trial in first]
    assert len({trial.params["optimizer.lr"] for trial in trials}) == 3

    told = capsys.readouterr().out
    assert "Sweep tiny: 3 trials finished, 0 pruned, 0 failed, 0 running" in told
    assert f"{max(trial.value or 0 for trial in trials):.4f}" in told
    folder = sweep.folder
    assert {"best.yaml", "trials.csv", "history.png", "slice.png"} <= {path.name for path in folder.iterdir()}
    assert list(pd.read_csv(folder / "trials.csv")["params_trainer.batch_size"]) == [
        trial.params["trainer.batch_size"] for trial in trials
    ]
    for trial_folder in (folder / "trials").iterdir():
        assert {path.name for path in trial_folder.iterdir()} == {
            "config.yaml",
            "run.log",
            "metrics",
        }  # no weights, no version
    assert not Path("data/bucket").exists()


def test_the_best_trial_is_an_experiment_that_trains_with_its_settings(
    sweep: Sweep, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(replace(sweep, trials=1))
    shutil.copytree(CONF_DIR, place / "conf")
    monkeypatch.setattr(compose, "CONF_DIR", place / "conf")
    monkeypatch.setattr(report, "EXPERIMENTS", place / "conf" / "experiment")
    run("sweep", "--report", "--name=tiny", "--save=found")
    best = trials_of("tiny")[0].params
    config = compose.compose_train_config(["experiment=found"])
    assert (config.optimizer.lr, config.trainer.batch_size) == (best["optimizer.lr"], best["trainer.batch_size"])
    assert replace(config, name="folder") == compose.compose_train_config(
        [*sweep.args, *overrides(best), "tracking.mode=auto"]
    )
    with existing("tiny") as study, pytest.raises(UsageError, match="There is an experiment found already"):
        report.save(study, "found")


def test_the_same_seed_tries_the_same_values_also_after_a_break(sweep: Sweep) -> None:
    tried = []
    for name, calls in (("whole", 1), ("parts", 12)):
        for part in range(calls):
            asked = replace(sweep, name=name, trials=12 * (part + 1) // calls)
            with signed_in(asked.folder) as worker, opened(asked) as study:
                while trial := next_trial(study, asked, worker):
                    study.tell(trial, trial.params["optimizer.lr"])
        tried.append([trial.params for trial in trials_of(name)])
    assert tried[0] == tried[1]


def test_two_workers_share_a_sweep_and_do_each_trial_once(sweep: Sweep, start: Start) -> None:
    process = start(*options(replace(sweep, trials=5), "--workers=2"))
    told, complaints = process.communicate()
    assert process.returncode == 0, complaints
    trials = trials_of("tiny")
    assert states(trials) == ["COMPLETE"] * 5
    assert len({trial.user_attrs["worker"] for trial in trials}) == 2
    assert len({trial.params["optimizer.lr"] for trial in trials}) == 5
    assert "5 trials finished" in told


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups to send Ctrl-C to")
def test_ctrl_c_ends_all_workers_and_their_trials_are_done_later(sweep: Sweep, start: Start) -> None:
    long = replace(sweep, args=(*sweep.args, "trainer.epochs=1000"))
    process = start(*options(long, "--workers=2"))
    wait_for_epochs(2)
    os.killpg(process.pid, signal.SIGINT)
    _, complaints = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in complaints
    trials = trials_of("tiny")
    assert sorted(states(trials)) == ["FAIL", "FAIL", "WAITING", "WAITING"]
    with opened(long) as study, signed_in(long.folder) as worker:
        assert counted(study) == []
        again = [next_trial(study, long, worker) for _ in range(3)]
    values = sorted(trial.params["optimizer.lr"] for trial in again if trial)
    assert values == sorted(trial.params["optimizer.lr"] for trial in trials if trial.state == TrialState.FAIL)


def test_a_killed_sweep_repeats_what_ran_and_nothing_else(sweep: Sweep, start: Start) -> None:
    asked = replace(sweep, trials=1, args=(*sweep.args, "trainer.epochs=30"))
    process = start(*options(asked))
    wait_for_epochs(1)
    process.kill()
    process.communicate()
    work(asked)
    killed, repeated = trials_of("tiny")
    assert (killed.state, repeated.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert killed.params == repeated.params
    work(asked)
    assert len(trials_of("tiny")) == 2


def test_a_trial_that_kills_its_workers_is_not_repeated_for_ever(sweep: Sweep) -> None:
    with opened(sweep) as study:
        for _ in range(3):
            assert next_trial(study, sweep, "dead")
        assert len(counted(study)) == 1
        with signed_in(sweep.folder) as worker:
            assert next_trial(study, sweep, worker)
            assert states(study.trials) == ["FAIL", "FAIL", "FAIL", "RUNNING"]
            assert next_trial(study, sweep, "other") is None, "a living worker's trial was taken from it"


def test_a_hopeless_learning_rate_is_pruned_and_its_wandb_run_ends_well(
    sweep: Sweep, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "wide.yaml").write_text("optimizer.lr: {low: 1e-9, high: 1, log: true}", encoding="utf-8")
    asked = replace(sweep, space=read_space("wide.yaml"), trials=6)
    asked = replace(asked, args=(*sweep.args, "trainer.epochs=9", "tracking.mode=offline"))
    ended: list[Any] = []
    finish = wandb.Run.finish

    def note(run: wandb.Run, exit_code: int) -> None:
        finish(run, exit_code)
        ended.extend([run, exit_code])

    monkeypatch.setattr(wandb.Run, "finish", note)
    with opened(asked) as study:
        for _ in range(5):
            epochs = dict.fromkeys(range(9), 0.9)
            values: dict[str, Any] = {"params": {"optimizer.lr": 1e-2}, "distributions": asked.space}
            study.add_trial(create_trial(value=0.9, intermediate_values=epochs, **values))
        study.enqueue_trial({"optimizer.lr": 1e-9})
    work(asked)
    pruned = trials_of("tiny")[-1]
    assert pruned.state == TrialState.PRUNED
    assert len(pruned.intermediate_values) == 2
    run, exit_code = ended
    assert (run.group, run.name, exit_code) == ("tiny", Path(pruned.user_attrs["folder"]).name, 0)


def test_a_trial_that_diverges_is_pruned_at_once(sweep: Sweep, place: Path) -> None:
    (place / "wild.yaml").write_text("optimizer.lr: {low: 1e30, high: 1e31}", encoding="utf-8")
    work(replace(sweep, space=read_space("wild.yaml"), trials=1))
    (diverged,) = trials_of("tiny")
    assert (diverged.state, diverged.intermediate_values) == (TrialState.PRUNED, {})


def test_a_failed_trial_is_recorded_and_the_sweep_goes_on(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_trial(_: Sweep, trial: optuna.Trial, __: Any) -> float:
        if trial.number in (0, 1, 3):
            raise RuntimeError("CUDA out of memory\nand much more")
        return 0.5

    monkeypatch.setattr(trial, "run_trial", run_trial)
    work(replace(sweep, trials=5))
    trials = trials_of("tiny")
    assert states(trials) == ["FAIL", "FAIL", "COMPLETE", "FAIL", "COMPLETE"]
    assert trials[0].user_attrs["error"] == "CUDA out of memory"


def test_three_failures_in_a_row_end_the_sweep_with_the_error(sweep: Sweep, place: Path) -> None:
    (place / "cache").write_text("no folder", encoding="utf-8")
    with pytest.raises(AnimalsError, match=r"3 trials failed in a row, the last one with: The decoded pictures"):
        work(replace(sweep, trials=9))
    assert states(trials_of("tiny")) == ["FAIL"] * 3


def test_pictures_that_no_trial_could_use_end_the_sweep_at_once(sweep: Sweep, place: Path) -> None:
    (place / "empty").mkdir()
    with pytest.raises(DataError):
        work(replace(sweep, args=(*sweep.args, "data.root=empty")))
    assert states(trials_of("tiny")) == ["FAIL"]


def test_a_stopped_trial_is_queued_again(sweep: Sweep) -> None:
    asked = iter([False, False, False, True])
    with pytest.raises(Interrupted, match="trial 0, which is queued again"):
        work(sweep, lambda: next(asked))
    assert states(trials_of("tiny")) == ["FAIL", "WAITING"]


def test_another_sweep_of_the_same_name_is_refused(sweep: Sweep) -> None:
    with opened(sweep):
        pass
    with (
        pytest.raises(ConfigError, match="started with another --args, --metric"),
        opened(replace(sweep, args=("data.side=64",), metric="val/loss")),
    ):
        pass


def test_a_report_says_when_there_is_too_little_to_show(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(sweep) as study:
        run("sweep", "--report", "--name=tiny")
        assert "No trial has finished yet" in capsys.readouterr().out
        with pytest.raises(UsageError, match="nothing to save"):
            report.save(study, "found")
        study.add_trial(
            create_trial(
                value=0.5,
                params={"optimizer.lr": 5e-3, "trainer.batch_size": 8},
                distributions=sweep.space,
                user_attrs={"loss": 1.0},
            )
        )
    run("sweep", "--report", "--name=tiny")
    assert "Figures need two finished trials" in capsys.readouterr().out


def test_importances_are_drawn_where_the_values_differ(sweep: Sweep) -> None:
    with opened(sweep) as study:
        for number in range(4):
            values = {"optimizer.lr": 2e-3 * (number + 1), "trainer.batch_size": 8}
            attributes = {"loss": 1.0 - number / 10}
            study.add_trial(
                create_trial(value=number / 4, params=values, distributions=sweep.space, user_attrs=attributes)
            )
        assert [path.name for path in report.draw(study, sweep.folder)] == [
            "history.png",
            "slice.png",
            "importances.png",
        ]
        assert [trial.number for trial in report.ranked(study)] == [3, 2, 1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer.lrr: {low: 1, high: 2}", r"There is no setting optimizer\.lrr\. Did you mean optimizer\.lr\?"),
        ("optimizer.lr: {low: 2, high: 1}", r"optimizer\.lr has low: 2 above high: 1; expected low below high"),
        ("optimizer.lr: {low: 1, high: 1}", "ranges from 1 to 1, which is empty"),
        ("optimizer.lr: {low: 0, high: 1, log: true}", "log: true and low: 0; expected low above 0"),
        ("optimizer.lr: {low: 1, high: 2, log: 3}", "log: 3; expected true or false"),
        ("optimizer.lr: {low: one, high: 2}", "low: one; expected a number"),
        ("optimizer.lr: {low: 1, high: 2, lgo: true}", "has an entry lgo; expected low, high, log only"),
        ("optimizer.lr: {low: 1}", "expected {low: ..., high: ...} or {choices: "),
        ("optimizer.lr: 1", "expected {low: ..., high: ...} or {choices: "),
        ("trainer.batch_size: {low: 1.5, high: 2}", r"low: 1\.5; expected a whole number"),
        ("scheduler.name: {low: 1, high: 2}", "is no number"),
        ("scheduler.name: {choices: [cosine]}", "two or more different"),
        ("scheduler.name: {choices: [[1], 2]}", "two or more different plain values"),
        ("trainer.devices: {choices: [1, 2]}", "not for searching"),
        ("data.val: {low: 0.1, high: 0.2}", "same for all trials"),
        ("[1, 2]", "names no setting"),
        ("", "names no setting"),
        ("a: {", "cannot be read as YAML"),
    ],
)
def test_a_mistake_in_a_search_space_is_named(text: str, message: str, place: Path) -> None:
    (place / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message.replace("{", r"\{")):
        read_space("bad.yaml")


def test_an_unknown_search_space_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no search space sampel\. Did you mean sample\?"):
        read_space("sampel")
    with pytest.raises(ConfigError, match=r"There is no file gone\.yaml"):
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
def test_values_that_no_training_takes_are_found_before_the_first(
    text: str, args: Sequence[str], message: str, place: Path
) -> None:
    (place / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        check_space(read_space("bad.yaml"), args)


def test_mistakes_on_the_command_line_are_one_sentence_and_exit_code_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for arguments, message in (
        (["--report", "--name=gone"], "error: There is no sweep gone under "),
        (["--report", "--name=a/b"], 'error: The sweep\'s name is "a/b"; expected letters'),
        (["--space=space.yaml", "--name=x", "optimizer.lrr=1"], "error: There is no setting optimizer.lrr."),
    ):
        with pytest.raises(SystemExit, match="2"):
            run("sweep", *arguments)
        told = capsys.readouterr().err
        assert told.startswith(message)
        assert told.count("\n") == 1
    with pytest.raises(SystemExit, match="2"):
        run("sweep", "--trials=0")
    assert "Invalid value for '--trials'" in capsys.readouterr().err
