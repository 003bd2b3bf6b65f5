"""gcloud from Python: what it is given, what it says, and what becomes of its errors."""

import subprocess
import sys
from pathlib import Path

import pytest

from animals.cloud.gcloud import Command, Gcloud, Input
from animals.errors import CloudError
from tests.support.fake_gcloud import FakeGcloud

TOPIC = Command(("gcloud", "pubsub", "topics", "describe", "a topic"), "look at the topic")
GCLOUD = Gcloud(waits=(0.0, 0.0))


def test_words_reach_gcloud_as_they_are(gcloud: FakeGcloud) -> None:
    words = ("gcloud", "a b", "it's", '"x"', "--condition=f('y') == 1", "$HOME", "*", "\\d", "")
    GCLOUD.run(Command(words, "try"))
    assert [call.words for call in gcloud.calls] == [words]


def test_a_dry_run_prints_what_a_shell_takes_and_runs_nothing(
    gcloud: FakeGcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    dry = Gcloud(dry_run=True)
    dry.run(TOPIC)
    dry.stream(TOPIC)
    assert dry.output(TOPIC) == ""
    assert dry.read(TOPIC) is None
    assert dry.find(TOPIC) is None
    assert gcloud.calls == []
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["# look at the topic", "gcloud pubsub topics describe 'a topic'"]
    assert len(lines) == 10
    assert sum("--format=json" in line for line in lines) == 2


def test_a_secret_goes_through_the_input_and_is_never_shown(
    gcloud: FakeGcloud, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("gcloud", "secrets", "versions", "add", "key", "--data-file=-")
    command = Command(words, "fill it", Input("make-a-key", lambda: "hidden\n"))
    gcloud.answer("secrets", stderr="ERROR: PERMISSION_DENIED", code=1, times=1)
    with pytest.raises(CloudError) as caught:
        GCLOUD.run(command)
    GCLOUD.run(command)
    Gcloud(dry_run=True).run(command)
    printed = capsys.readouterr().out
    assert [call.stdin for call in gcloud.calls] == ["hidden\n"] * 2
    assert "make-a-key | gcloud secrets versions add key --data-file=-" in printed
    assert "hidden" not in printed + str(caught.value) + repr(command) + str(gcloud.calls[0])


def test_json_is_read(gcloud: FakeGcloud) -> None:
    assert GCLOUD.read(TOPIC) is None, "no output"
    gcloud.answer("describe", stdout={"name": "t"})
    assert GCLOUD.find(TOPIC) == GCLOUD.read(TOPIC) == {"name": "t"}
    assert GCLOUD.output(TOPIC) == '{"name": "t"}'
    gcloud.answer("describe", stdout="Listed 0 items.")
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
def test_a_missing_resource_is_not_found(gcloud: FakeGcloud, stderr: str) -> None:
    gcloud.answer(stderr=stderr, code=1)
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
def test_an_error_says_what_to_do(gcloud: FakeGcloud, stderr: str, advice: str) -> None:
    gcloud.answer(stderr=stderr, code=1)
    with pytest.raises(CloudError, match="Could not look at the topic") as caught:
        GCLOUD.run(TOPIC)
    assert advice in str(caught.value)
    assert stderr in str(caught.value)


def test_a_denied_permission_is_not_a_missing_resource(gcloud: FakeGcloud) -> None:
    gcloud.answer(stderr="ERROR: PERMISSION_DENIED: denied (or it may not exist).", code=1)
    with pytest.raises(CloudError, match="PERMISSION_DENIED"):
        GCLOUD.find(TOPIC)


@pytest.mark.parametrize(
    "stderr",
    [
        "ERROR: Cloud Pub/Sub API has not been used in project 1 before or it is disabled. Wait a few minutes.",
        "ERROR: INVALID_ARGUMENT: Service account animals-trainer@p.iam.gserviceaccount.com does not exist.",
        "ERROR: ABORTED: There were concurrent policy changes. Please retry the whole read-modify-write.",
    ],
)
def test_a_change_that_is_not_effective_yet_is_waited_for_but_not_for_ever(gcloud: FakeGcloud, stderr: str) -> None:
    gcloud.answer(stderr=stderr, code=1)
    with pytest.raises(CloudError):
        GCLOUD.run(TOPIC)
    assert len(gcloud.calls) == 3
    gcloud.forget()
    gcloud.answer(times=1)
    gcloud.answer(stderr=stderr, code=1, times=2)
    GCLOUD.run(TOPIC)
    assert len(gcloud.calls) == 3


def test_a_missing_account_is_not_waited_for(gcloud: FakeGcloud) -> None:
    gcloud.answer(stderr="ERROR: NOT_FOUND: Unknown service account", code=1)
    assert GCLOUD.find(TOPIC) is None
    assert len(gcloud.calls) == 1


def test_the_output_of_a_long_command_is_streamed(gcloud: FakeGcloud, capfd: pytest.CaptureFixture[str]) -> None:
    gcloud.answer("builds", stdout="step 1\n")
    GCLOUD.stream(Command(("gcloud", "builds", "submit"), "build the images"))
    assert "build the images\nstep 1\n" in capfd.readouterr().out
    gcloud.answer("builds", stdout="step 2\n", code=1)
    with pytest.raises(CloudError, match="Could not build the images: gcloud ended with exit code 1"):
        GCLOUD.stream(Command(("gcloud", "builds", "submit"), "build the images"))


def test_a_missing_gcloud_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CloudError, match=r"gcloud is not installed.*cloud\.google\.com/sdk.*--dry-run"):
        GCLOUD.run(TOPIC)


def test_prompts_are_disabled(gcloud: FakeGcloud) -> None:
    program = gcloud.folder / "gcloud"
    if sys.platform == "win32":
        pytest.skip("the stand-in is no shell script here")
    program.write_text('#!/bin/sh\necho "$CLOUDSDK_CORE_DISABLE_PROMPTS"\n', encoding="utf-8")
    assert GCLOUD.output(TOPIC) == "1\n"


def test_all_of_it_runs_with_the_standard_library_alone() -> None:
    """As in Google's image with gcloud, where none of our requirements are."""
    source = Path(__file__).parents[2] / "src"
    code = f"import sys; sys.path.insert(0, {str(source)!r}); import animals.cloud.__main__"
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
