"""Commands that set up, build, deploy and train on Google Cloud."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, Typer

from animals.cloud.canary_health import WATCH_SECONDS
from animals.cloud.gcloud import Gcloud
from animals.cloud.target import DEFAULT_REGION, Part, Target
from animals.cloud.vertex import TrainingOptions
from animals.errors import ConfigError

app = Typer()

Project = Annotated[str, Option(envvar="GOOGLE_CLOUD_PROJECT", help="ID of the Google Cloud project")]
Region = Annotated[str, Option(help="region of everything that is made or run")]
Tag = Annotated[str, Option(help="tag of the images, such as the commit's short hash")]
DryRun = Annotated[bool, Option("--dry-run", help="print the commands instead of running them")]


def _target(project: str, region: str) -> Target:
    if not project:
        raise ConfigError("No project is named. Give --project, or set GOOGLE_CLOUD_PROJECT.")
    return Target(project=project, region=region)


@app.command()
def gcp_setup(
    project: Project = "",
    region: Region = DEFAULT_REGION,
    github: Annotated[str, Option(help="OWNER/REPO whose workflows deploy and whose pushes build")] = "",
    email: Annotated[str, Option(help="address that gets the alerts")] = "",
    dry_run: DryRun = False,
) -> None:
    """Create what a Google Cloud project lacks; safe to repeat.

    Buckets, accounts, secrets, triggers and alerts.

    For example: animals gcp-setup --project my-project --dry-run
    """
    from animals.cloud.setup.command import set_up

    set_up(_target(project, region), Gcloud(dry_run=dry_run), github=github, email=email)


@app.command()
def build(
    tag: Tag,
    project: Project = "",
    region: Region = DEFAULT_REGION,
    train_gpu: Annotated[bool, Option("--train-gpu", help="build the image for trainers with a GPU too")] = False,
    deploy: Annotated[bool, Option(help="deploy the images after all tests have passed")] = True,
    dry_run: DryRun = False,
) -> None:
    """Build, test and scan the images, and deploy them.

    In Cloud Build, as after a push to main.

    For example: animals build --project my-project --tag first --no-deploy
    """
    from animals.cloud.build import command

    Gcloud(dry_run=dry_run).stream(command(_target(project, region), tag, train_gpu=train_gpu, deploy=deploy))


@app.command()
def deploy(
    tag: Tag,
    project: Project = "",
    region: Region = DEFAULT_REGION,
    only: Annotated[Part | None, Option(help="deploy this alone")] = None,
    watch: Annotated[
        float, Option(min=0, help="seconds to observe a revision that gets a tenth of the requests")
    ] = WATCH_SECONDS,
    dry_run: DryRun = False,
) -> None:
    """Deploy images to Cloud Run, step by step.

    A new revision gets no requests, then a tenth of them, then all. If a step fails, the old revision serves on.

    For example: animals deploy --project my-project --tag first --only backend
    """
    from animals.cloud.deploy import deploy

    deploy(_target(project, region), Gcloud(dry_run=dry_run), tag=tag, only=only, watch=watch)


@app.command()
def train_cloud(
    overrides: Annotated[
        list[str],
        Argument(metavar="OVERRIDE", help="Hydra overrides, as in experiment=animals10 data.root=gs://name/raw"),
    ] = [],
    project: Project = "",
    region: Region = DEFAULT_REGION,
    gpu: Annotated[
        str, Option(help="cpu, l4 or t4, or several with commas, to be tried in this order")
    ] = TrainingOptions.gpu,
    also_in: Annotated[
        str, Option(help="further regions to try each of them in, with commas")
    ] = TrainingOptions.also_in,
    machines: Annotated[
        int, Option(min=1, max=16, help="number of machines that train together")
    ] = TrainingOptions.machines,
    spot: Annotated[
        bool, Option("--spot", help="use cheaper machines that may be preempted; the training resumes on others")
    ] = TrainingOptions.spot,
    hours: Annotated[int, Option(min=1, max=168, help="hours after which the job is stopped")] = TrainingOptions.hours,
    tag: Annotated[str, Option(help="tag of the image")] = TrainingOptions.tag,
    wandb: Annotated[
        bool, Option("--wandb", help="track it in W&B, with the key in Secret Manager")
    ] = TrainingOptions.wandb,
    announce: Annotated[
        str, Option(help="github://OWNER/REPOSITORY whose workflow tests and promotes the version")
    ] = TrainingOptions.announce,
    feedback: Annotated[
        bool,
        Option(
            "--feedback",
            help="train on the pictures of the feedback too; without --announce the version serves unless it is worse",
        ),
    ] = TrainingOptions.feedback,
    request: Annotated[
        str, Option(help="ID of the request: the same one starts one training only")
    ] = TrainingOptions.request,
    follow: Annotated[bool, Option("--follow", help="show its log until it ends")] = False,
    dry_run: DryRun = False,
) -> None:
    """Train on Vertex AI.

    For example: animals train-cloud --gpu l4,cpu --follow experiment=animals10 trainer.epochs=4
    """
    from animals.cloud.vertex import train

    options = TrainingOptions(
        overrides=tuple(overrides),
        gpu=gpu,
        also_in=also_in,
        machines=machines,
        spot=spot,
        hours=hours,
        tag=tag,
        wandb=wandb,
        announce=announce,
        feedback=feedback,
        request=request,
    )
    train(_target(project, region), Gcloud(dry_run=dry_run), options, follow=follow)


@app.command()
def function(folder: Annotated[Path, Argument(help="folder for the source")]) -> None:
    """Write the report function's source into a folder.

    It holds the modules that the function needs, with its requirements, as `animals deploy` uploads them.

    For example: animals function build/function
    """
    from animals.cloud.function import write

    write(folder)
