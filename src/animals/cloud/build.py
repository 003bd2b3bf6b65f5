"""`invoke build`: send a checkout to Cloud Build, which builds, tests, scans, pushes and deploys it as after a push."""

from animals.cloud.gcloud import Command
from animals.cloud.target import Target
from animals.cloud.template import FILES, ROOT


def command(target: Target, tag: str, *, train_gpu: bool, deploy: bool) -> Command:
    """Return the command that starts a build and follows it.

    `train_gpu` builds the image for trainers with a GPU too; `deploy` deploys the images after all tests have passed.
    """
    target.image("api", tag)  # refuse an invalid tag now, not after ten minutes
    flags = {"_TRAIN_GPU": train_gpu, "_DEPLOY": deploy}
    values = {"_REGION": target.region, "_TAG": tag} | {name: str(flag).lower() for name, flag in flags.items()}
    substitutions = ",".join(f"{name}={value}" for name, value in values.items())
    config = (FILES / "build.yaml").relative_to(ROOT).as_posix()
    words = (
        *("gcloud", "builds", "submit", ".", f"--config={config}", f"--substitutions={substitutions}"),
        *(f"--project={target.project}", f"--region={target.region}"),
    )
    return Command(words, f"build the images {tag}" + (" and deploy them" if deploy else ""))
