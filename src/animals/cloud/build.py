"""`invoke build`: send a checkout to Cloud Build, which builds, tests, scans, pushes and deploys it as after a push."""

from typing import Final

from animals.cloud.gcloud import Command
from animals.cloud.target import Place
from animals.cloud.template import FILES, ROOT

YES: Final = "true"


def command(place: Place, tag: str, *, train_gpu: bool, deploy: bool) -> Command:
    """The command that starts a build and follows it.

    Args:
        place: where.
        tag: that the images get.
        train_gpu: build the image for trainers with a GPU too.
        deploy: put the images to work when all is well.
    """
    place.image("api", tag)  # a wrong one is told now and not after ten minutes
    values = {"_REGION": place.region, "_TAG": tag, "_TRAIN_GPU": _said(train_gpu), "_DEPLOY": _said(deploy)}
    substitutions = ",".join(f"{name}={value}" for name, value in values.items())
    config = (FILES / "build.yaml").relative_to(ROOT).as_posix()
    words = (
        *("gcloud", "builds", "submit", ".", f"--config={config}", f"--substitutions={substitutions}"),
        *(f"--project={place.project}", f"--region={place.region}"),
    )
    return Command(words, f"build the images {tag}" + (" and deploy them" if deploy else ""))


def _said(value: bool) -> str:
    return YES if value else "false"
