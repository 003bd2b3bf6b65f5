"""`animals train-cloud`: a training on Vertex AI, on the first kind of machine that is to be had."""

import re
import sys
from typing import Final

from animals.cloud.gcloud import Command, Gcloud
from animals.cloud.target import Place
from animals.cloud.vertex_job import Job, TrainingOptions
from animals.errors import CloudError

SUCCEEDED: Final = "JOB_STATE_SUCCEEDED"

# What Google says, at once or after a while, where others of the machines may be had; anything else is a mistake.
_NONE_LEFT: Final = re.compile(
    r"RESOURCE_EXHAUSTED|exceeds? quota|quota exceeded|resources are insufficient|insufficient (?:resources|capacity)"
    r"|not supported in|stockout|out of capacity",
    re.IGNORECASE,
)


def train(place: Place, gcloud: Gcloud, options: TrainingOptions, *, follow: bool = False) -> None:
    """Start a training, or print the commands that would.

    Args:
        place: project and region.
        gcloud: runs the commands, or prints them.
        options: of the training.
        follow: show its log until it ends.

    Raises:
        ConfigError: an option is impossible.
        CloudError: none of the kinds of machine could start it; or it failed while it was followed.
    """
    job = Job.of(place, options)
    if options.request and _was_started(place, gcloud, job):
        sys.stdout.write(f"A training was started for {options.request} already.\n")
        return
    tries = list(job.tries())
    for number, (kind, region) in enumerate(tries):
        if number and gcloud.dry_run:
            sys.stdout.write("\n# if there is no quota or no machine left for that\n")
        try:
            _start(gcloud, job, kind, region, follow=follow)
        except CloudError as error:
            if number + 1 == len(tries) or not _NONE_LEFT.search(str(error)):
                raise
            sys.stdout.write(f"{error}\nTrying {tries[number + 1][0]} in {tries[number + 1][1]} instead.\n")
        else:
            if not gcloud.dry_run:
                return


def _was_started(place: Place, gcloud: Gcloud, job: Job) -> bool:
    """Whether a message that came a second time was followed before: Pub/Sub promises at least once."""
    for region in job.regions:
        words = ("gcloud", "ai", "custom-jobs", "list", f"--project={place.project}", f"--region={region}")
        asked = Command(
            (*words, f"--filter=labels.request={job.request}", "--format=value(name)"),
            f"look whether a training was started for {job.request} in {region}",
        )
        if gcloud.output(asked).strip():
            return True
    return False


def _start(gcloud: Gcloud, job: Job, kind: str, region: str, *, follow: bool) -> None:
    """Start it on one kind of machine, say how to look at it, and follow it if that was asked for.

    Raises:
        CloudError: it could not be started, or failed.
    """
    file = job.file(kind)
    if gcloud.dry_run:
        sys.stdout.write(f"# {file.as_posix()} holds:\n")
        sys.stdout.writelines(f"#   {line}\n" for line in file.read_text(encoding="utf-8").splitlines())
    name = gcloud.output(job.command(kind, region, file)).strip() or "JOB"
    at = (f"--project={job.place.project}", f"--region={region}")
    logs = Command(("gcloud", "ai", "custom-jobs", "stream-logs", name, *at), "show its log until it ends")
    if follow:
        gcloud.stream(logs)
        _check_end(gcloud, name, at)
    elif not gcloud.dry_run:
        sys.stdout.write(f"{job.name} trains on {kind} in {region}: {name}\nIts log: {logs}\n")


def _check_end(gcloud: Gcloud, name: str, at: tuple[str, ...]) -> None:
    """How it ended, which the log does not tell.

    Raises:
        CloudError: it failed.
    """
    fields = "--format=value(state,error.message)"
    asked = Command(("gcloud", "ai", "custom-jobs", "describe", name, *at, fields), "see how the training ended")
    state, _, reason = gcloud.output(asked).strip().partition("\t")
    if gcloud.dry_run:
        return
    if state != SUCCEEDED:
        raise CloudError(f"The training {name} ended as {state or 'unknown'}: {reason or 'its log says why'}.")
    sys.stdout.write(f"The training {name} has succeeded.\n")
