"""The retrain check: what it prints, stores and requests."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr

from animals.errors import RequestRefused
from animals.monitoring.report import DAYS, read_latest
from animals.monitoring.retrain_check import check
from animals.monitoring.trigger import RetrainRequest, TriggerSettings, open_trigger
from animals.prediction_records import picture_name
from animals.records import now
from animals.storage import FolderStorage
from tests.support.http import GitHub
from tests.support.records import make_feedback, make_prediction, publish, put_feedback, put_predictions


@pytest.fixture
def folder(tmp_path: Path) -> FolderStorage:
    """A bucket whose version has served for ten days."""
    folder = FolderStorage(tmp_path / "bucket")
    publish(folder, created=now() - timedelta(days=10))
    return folder


def ask(folder: FolderStorage, *, shift: float = 0.0, days: int = 4) -> None:
    """Sixty pictures on each of the last days."""
    random = np.random.default_rng(7)
    for day in range(days):
        time = now() - timedelta(days=day)
        put_predictions(folder, (make_prediction(f"{day}-{one}", random, shift=shift, time=time) for one in range(60)))


def judge(folder: FolderStorage, *, right: int, wrong: int, pictures: int = 0) -> None:
    """What people said of answers of yesterday."""
    time = now() - timedelta(days=1)
    labels = ["ant"] * right + ["bee"] * wrong
    names = [picture_name(time, str(number), time) if number < pictures else None for number in range(len(labels))]
    for name in filter(None, names):
        folder.write(name, b"a picture")
    put_feedback(
        folder,
        *(
            make_feedback(str(number), label, picture=name, time=time, answered=time)
            for number, (label, name) in enumerate(zip(labels, names, strict=True))
        ),
    )


def test_nothing_is_asked_for_while_all_is_well(folder: FolderStorage) -> None:
    ask(folder)
    judge(folder, right=55, wrong=5)
    asked: list[RetrainRequest] = []
    line = check(folder, asked.append, DAYS)
    assert not asked
    assert (line.severity, line.event, line.version, line.asked) == ("INFO", "check", "r1", "not needed")
    assert (line.less_accurate, line.drifted, line.drift_days, line.retrain) == (False, False, 0, False)
    assert line.judged == 60
    assert line.accuracy == pytest.approx(55 / 60)
    assert line.model_days == pytest.approx(10, abs=0.1)
    assert line.message.startswith("No need to retrain: The accuracy on feedback, 55 of 60")


def test_worse_answers_and_drift_ask_for_a_training_once(folder: FolderStorage) -> None:
    ask(folder, shift=0.3)
    judge(folder, right=30, wrong=30, pictures=55)
    asked: list[RetrainRequest] = []
    first, second = check(folder, asked.append, DAYS), check(folder, asked.append, DAYS)
    [request] = asked
    assert (request.version, request.bucket, request.reasons) == ("r1", folder.url, first.reasons)
    assert (first.severity, first.retrain, first.less_accurate, first.drift_days) == ("NOTICE", True, True, 4)
    assert (first.asked, second.asked) == ("now", "earlier today")
    assert first.pictures == 55
    assert "significantly lower" in first.message
    assert "brightness" in first.message


def test_what_was_found_is_what_the_alerts_look_at_from_then_on(folder: FolderStorage) -> None:
    ask(folder, shift=0.3)
    line = check(folder, None, DAYS)
    kept = read_latest(folder)
    assert kept is not None
    assert kept.decision.reasons == line.reasons
    assert kept.days_drifted == line.drift_days == 4


def test_without_a_trigger_the_line_says_that_nobody_was_asked(folder: FolderStorage) -> None:
    judge(folder, right=30, wrong=30, pictures=55)
    line = check(folder, None, DAYS)
    assert (line.retrain, line.asked) == (True, "no: ANIMALS_TRIGGER is print")
    assert not list(folder.names("retrain/"))


def test_a_refused_request_is_an_error_whose_line_is_printed_before(
    folder: FolderStorage, github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    judge(folder, right=30, wrong=30, pictures=55)
    github.status = 404
    trigger = open_trigger(
        TriggerSettings(trigger="github://zoo/animals", github_token=SecretStr("x"), github_api=github.url)
    )
    with pytest.raises(RequestRefused, match="404"):
        check(folder, trigger, DAYS)
    line = json.loads(capsys.readouterr().out)
    assert (line["severity"], line["asked"], line["retrain"]) == ("ERROR", "failed", True)
    github.status = 204
    assert check(folder, trigger, DAYS).asked == "now"  # the next one tries again


def run(folder: FolderStorage, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "animals", "decide", *options],
        env=os.environ | {"ANIMALS_BUCKET": folder.url} | environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_the_command_asks_whom_the_setting_names_and_prints_one_line(folder: FolderStorage, github: GitHub) -> None:
    judge(folder, right=30, wrong=30, pictures=55)
    setting = {
        "ANIMALS_TRIGGER": "github://zoo/animals",
        "GITHUB_TOKEN": "secret-token",
        "GITHUB_API_URL": github.url,
    }
    done = run(folder, "--days=3", **setting)
    assert (done.returncode, done.stderr) == (0, "")
    [line] = done.stdout.splitlines()
    assert (json.loads(line)["days"], json.loads(line)["asked"]) == (3, "now")
    assert github.requests[0].json()["client_payload"]["version"] == "r1"
    assert "secret-token" not in done.stdout


@pytest.mark.parametrize(
    ("options", "environment", "code", "said"),
    [
        (["--days=0"], {}, 2, "error: --days is 0; expected 1 to 90."),
        ([], {"ANIMALS_TRIGGER": "mail://me"}, 2, "error: ANIMALS_TRIGGER is mail://me; expected print, pubsub://"),
        ([], {"ANIMALS_BUCKET": "nowhere"}, 1, "error: No model is published in nowhere."),
    ],
)
def test_what_cannot_be_is_one_sentence(
    folder: FolderStorage, options: list[str], environment: dict[str, str], code: int, said: str
) -> None:
    done = run(folder, *options, **environment)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1
