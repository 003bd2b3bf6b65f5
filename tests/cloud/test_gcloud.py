"""gcloud from Python: what it is given, what it says, and what becomes of its errors."""

import subprocess
import sys
from pathlib import Path

import pytest

from animals.cloud.gcloud import Command, Gcloud, Input
from animals.errors import CloudError
from tests.support.recorder import Recorder

TOPIC = Command(("gcloud", "pubsub", "topics", "describe", "a topic"), "look at the topic")
GCLOUD = Gcloud(waits=(0.0, 0.0))


def test_words_reach_gcloud_as_they_are(recorder: Recorder) -> None:
    words = ("gcloud", "a b", "it's", '"x"', "--condition=f('y') == 1", "$HOME", "*", "\\d", "")
    GCLOUD.run(Command(words, "try"))
    assert [call.words for call in recorder.calls] == [words]


def test_a_dry_run_prints_what_a_shell_takes_and_runs_nothing(
    recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    dry = Gcloud(dry_run=True)
    dry.run(TOPIC)
    dry.stream(TOPIC)
    assert dry.output(TOPIC) == ""
    assert dry.read(TOPIC) is None
    assert dry.find(TOPIC) is None
    assert not dry.exists(TOPIC)
    assert recorder.calls == []
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["# look at the topic", "gcloud pubsub topics describe 'a topic'"]
    assert len(lines) == 12
    assert sum("--format=json" in line for line in lines) == 2


def test_a_secret_goes_through_the_input_and_is_never_shown(
    recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("gcloud", "secrets", "versions", "add", "key", "--data-file=-")
    command = Command(words, "fill it", Input("make-a-key", lambda: "hidden\n"))
    recorder.answer("secrets", stderr="ERROR: PERMISSION_DENIED", code=1, times=1)
    with pytest.raises(CloudError) as caught:
        GCLOUD.run(command)
    GCLOUD.run(command)
    Gcloud(dry_run=True).run(command)
    printed = capsys.readouterr().out
    assert [call.stdin for call in recorder.calls] == ["hidden\n"] * 2
    assert "make-a-key | gcloud secrets versions add key --data-file=-" in printed
    assert "hidden" not in printed + str(caught.value) + repr(command) + str(recorder.calls[0])


def test_answers_are_read(recorder: Recorder) -> None:
    recorder.answer("describe", stdout={"name": "t"})
    assert GCLOUD.find(TOPIC) == {"name": "t"}
    assert GCLOUD.read(TOPIC) == {"name": "t"}
    assert GCLOUD.exists(TOPIC)
    assert GCLOUD.output(TOPIC) == '{"name": "t"}'


def test_an_empty_answer_is_no_json(recorder: Recorder) -> None:
    assert GCLOUD.read(TOPIC) is None
    assert recorder.calls


def test_an_answer_that_is_no_json_is_said_so(recorder: Recorder) -> None:
    recorder.answer("describe", stdout="Listed 0 items.")
    with pytest.raises(CloudError, match=r"Could not look at the topic: gcloud printed 'Listed 0 items\.'"):
        GCLOUD.read(TOPIC)


@pytest.mark.parametrize(
    "stderr",
    [
        "ERROR: (gcloud.pubsub.topics.describe) NOT_FOUND: Resource not found (resource=t).",
        "ERROR: (gcloud.run.services.describe) Cannot find service [t]",
        "ERROR: (gcloud.storage.buckets.describe) gs://t not found: 404.",
    ],
)
def test_what_is_not_there_is_no_error_of_a_look(recorder: Recorder, stderr: str) -> None:
    recorder.answer(stderr=stderr, code=1)
    assert not GCLOUD.exists(TOPIC)
    assert GCLOUD.find(TOPIC) is None
    with pytest.raises(CloudError, match="Could not look at the topic"):
        GCLOUD.output(TOPIC)


@pytest.mark.parametrize(
    ("stderr", "advice"),
    [
        ("ERROR: You do not currently have an active account selected.", "gcloud auth login"),
        ("ERROR: Reauthentication failed. cannot prompt during non-interactive execution.", "gcloud auth login"),
        ("ERROR: PERMISSION_DENIED: Permission 'x' denied on resource (or it may not exist).", "project's owner"),
        ("ERROR: FAILED_PRECONDITION: Billing account for project '1' is not found.", "billing account"),
        ("ERROR: (gcloud) Invalid choice: 'policies'.", "gcloud components update"),
        ("ERROR: RESOURCE_EXHAUSTED: Quota exceeded", "more quota"),
        ("ERROR: something else", "The command was: gcloud pubsub topics describe 'a topic'"),
    ],
)
def test_an_error_says_what_to_do(recorder: Recorder, stderr: str, advice: str) -> None:
    recorder.answer(stderr=stderr, code=1)
    with pytest.raises(CloudError, match="Could not look at the topic") as caught:
        GCLOUD.run(TOPIC)
    assert advice in str(caught.value)
    assert stderr in str(caught.value)


def test_who_may_not_look_is_told_so(recorder: Recorder) -> None:
    recorder.answer(stderr="ERROR: PERMISSION_DENIED: denied (or it may not exist).", code=1)
    with pytest.raises(CloudError, match="PERMISSION_DENIED"):
        GCLOUD.exists(TOPIC)


@pytest.mark.parametrize(
    "stderr",
    [
        "ERROR: Cloud Pub/Sub API has not been used in project 1 before or it is disabled. Wait a few minutes.",
        "ERROR: INVALID_ARGUMENT: Service account animals-trainer@p.iam.gserviceaccount.com does not exist.",
        "ERROR: ABORTED: There were concurrent policy changes. Please retry the whole read-modify-write.",
    ],
)
def test_what_google_has_not_got_around_to_is_tried_again(recorder: Recorder, stderr: str) -> None:
    recorder.answer(stderr=stderr, code=1, times=2)
    GCLOUD.run(TOPIC)
    assert len(recorder.calls) == 3


def test_it_is_not_tried_for_ever(recorder: Recorder) -> None:
    recorder.answer(stderr="ERROR: SERVICE_DISABLED", code=1)
    with pytest.raises(CloudError, match="wait a minute"):
        GCLOUD.run(TOPIC)
    assert len(recorder.calls) == 3


def test_an_account_that_is_missing_is_not_waited_for_by_a_look(recorder: Recorder) -> None:
    recorder.answer(stderr="ERROR: NOT_FOUND: Unknown service account", code=1)
    assert not GCLOUD.exists(TOPIC)
    assert len(recorder.calls) == 1


def test_what_takes_long_is_shown_as_it_comes(recorder: Recorder, capfd: pytest.CaptureFixture[str]) -> None:
    recorder.answer("builds", stdout="step 1\n")
    GCLOUD.stream(Command(("gcloud", "builds", "submit"), "build the images"))
    assert "build the images\nstep 1\n" in capfd.readouterr().out
    recorder.answer("builds", stdout="step 2\n", code=1)
    with pytest.raises(CloudError, match="Could not build the images: gcloud ended with exit code 1"):
        GCLOUD.stream(Command(("gcloud", "builds", "submit"), "build the images"))


def test_without_gcloud_it_says_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CloudError, match=r"gcloud is not installed.*cloud\.google\.com/sdk.*--dry-run"):
        GCLOUD.run(TOPIC)


def test_no_question_is_asked_that_nobody_sees(recorder: Recorder) -> None:
    program = recorder.folder / "gcloud"
    if sys.platform == "win32":
        pytest.skip("the stand-in is no shell script here")
    program.write_text('#!/bin/sh\necho "$CLOUDSDK_CORE_DISABLE_PROMPTS"\n', encoding="utf-8")
    assert GCLOUD.output(TOPIC) == "1\n"


def test_all_of_it_runs_with_the_standard_library_alone() -> None:
    """As in Google's image with gcloud, where none of our requirements are."""
    source = Path(__file__).parents[2] / "src"
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(source)!r}); import animals.cloud.__main__",
        ],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
