"""What the workflow `model` does to a published version, by the commands that are written in it."""

import os
import subprocess
import sys
from pathlib import Path

from animals import registry
from animals.monitoring.trigger import EVENT as RETRAIN
from animals.storage import FolderStorage, Storage
from animals.training.release.announce import EVENT as PUBLISHED
from tests.support.workflow import JOBS, ROOT, WORKFLOW, command
from tests.training.conftest import Trained, files_of


def run(words: list[str], **variables: str) -> str:
    """Run a step in this environment instead of uv's, and return its output."""
    assert words[:3] == ["uv", "run", "invoke"], words
    command = [sys.executable, "-m", *words[2:]]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_waits_for_the_events_that_are_sent() -> None:
    assert WORKFLOW[True]["repository_dispatch"]["types"] == [PUBLISHED, RETRAIN]  # YAML takes `on` for true


def test_a_published_version_is_checked_tested_and_promoted(trained: Trained, bucket: Storage, tmp_path: Path) -> None:
    """By a folder and by the emulator of Google Cloud Storage; the load is short."""
    files, before = files_of(trained), trained.card.model_copy(update={"version": "before"})
    for card in (before, trained.card):
        registry.write_version(bucket, card, files)
    registry.promote(bucket, "before", reason="it was there before")
    given = {"VERSION": trained.card.version, "REASON": "tested"}

    def words(step: str) -> list[str]:
        return [word.replace("build/", f"{tmp_path}/") for word in command("promote", step, given)]

    output = run(words("check"), ANIMALS_BUCKET=bucket.url)
    assert "answers     6 of 6 test pictures as in the table" in output
    assert "the same as those of before, which serves" in output

    load = " ".join(words("load")).replace("--users 20 --seconds 60", "--users 2 --seconds 2").split()
    assert "--seconds 2" in " ".join(load)
    output = run(load, ANIMALS_BUCKET="gs://unused")
    assert f"{trained.card.version} of {tmp_path / 'candidate'}" in output
    assert "0 failures and wrong answers." in output
    assert [path.name for path in (tmp_path / "load").glob("*.md")] == ["users_2.md"]
    assert not list(bucket.names("feedback/")), "Users of a test are none of the real ones."

    run(words("promote"), ANIMALS_BUCKET=bucket.url)
    current = registry.read_current(bucket)
    assert (current.version, current.previous) == (trained.card.version, "before")
    assert current.reason == "tested"


def test_a_version_that_may_not_serve_ends_the_workflow(trained: Trained, tmp_path: Path) -> None:
    bucket = FolderStorage(tmp_path / "bucket")
    registry.write_version(bucket, trained.card, files_of(trained))
    bucket.write(registry.file_name(trained.card.version, trained.card.serving_file), b"another")
    words = command("promote", "check", {"VERSION": trained.card.version})
    command_line = [sys.executable, "-m", *words[2:-1], str(tmp_path / "candidate")]
    environment = {**os.environ, "ANIMALS_BUCKET": bucket.url}
    done = subprocess.run(command_line, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert "is not the file that was published" in done.stderr


def test_nothing_that_an_event_says_is_part_of_a_command() -> None:
    """It reaches a shell as the value of a variable only, and the bucket is not its to choose."""
    for job in JOBS.values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
    assert JOBS["promote"]["env"]["ANIMALS_BUCKET"] == "gs://${{ vars.GCP_PROJECT }}-animals"


def test_promotions_wait_for_each_other_and_nothing_has_more_rights_than_it_needs() -> None:
    assert WORKFLOW["permissions"] == {}
    for job in JOBS.values():
        assert job["concurrency"]["cancel-in-progress"] is False
        assert job["permissions"] == {"contents": "read", "id-token": "write"}
