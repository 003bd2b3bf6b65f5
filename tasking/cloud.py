"""Google Cloud."""

from invoke.context import Context
from invoke.tasks import task

from tasking.shell import options, python

PROJECT = "ID of the Google Cloud project [GOOGLE_CLOUD_PROJECT]"


@task(
    name="gcp-setup",
    help={
        "project": PROJECT,
        "region": "where everything is",
        "github": "OWNER/REPO whose workflows deploy and whose pushes build",
        "email": "who hears of alerts",
        "dry-run": "print the commands instead of running them",
    },
)
def gcp_setup(
    _: Context,
    project: str = "",
    region: str = "europe-west1",
    github: str = "",
    email: str = "",
    dry_run: bool = False,
) -> None:
    """Make what a Google Cloud project lacks; safe to repeat.

    Buckets, accounts, secrets, triggers and alerts.

    For example: invoke gcp-setup --project my-project --dry-run
    """
    given = options(project=project, region=region, github=github, email=email, dry_run=dry_run)
    python("animals.cloud", "setup", *given)


@task(
    help={
        "tag": "that the images get, such as the commit's short hash",
        "project": PROJECT,
        "region": "where it is built",
        "train-gpu": "build the image for trainers with a GPU too",
        "deploy": "put the images to work when all is well",
        "dry-run": "print what would be done",
    }
)
def build(
    _: Context,
    tag: str = "",
    project: str = "",
    region: str = "europe-west1",
    train_gpu: bool = False,
    deploy: bool = True,
    dry_run: bool = False,
) -> None:
    """Build, test and scan the images, and deploy them.

    In Cloud Build, as after a push to main.

    For example: invoke build --project my-project --tag first --no-deploy
    """
    given = options(tag=tag, region=region, project=project)
    switches = options(train_gpu=train_gpu, no_deploy=not deploy, dry_run=dry_run)
    python("animals.cloud", "build", *given, *switches)


@task(
    help={
        "tag": "of the images, which are in Artifact Registry already",
        "project": PROJECT,
        "region": "where they are, and where the services run",
        "only": "backend, report, frontend or check alone",
        "watch": "seconds to look at a revision that has a tenth of the visitors",
        "dry-run": "print what would be done",
    }
)
def deploy(
    _: Context,
    tag: str = "",
    project: str = "",
    region: str = "europe-west1",
    only: str = "",
    watch: int = 300,
    dry_run: bool = False,
) -> None:
    """Put images to work on Cloud Run, step by step.

    A service gets no visitors, a tenth of them, then all; or what served before goes on.

    For example: invoke deploy --project my-project --tag first --only backend
    """
    given = options(tag=tag, region=region, watch=watch, project=project, only=only, dry_run=dry_run)
    python("animals.cloud", "deploy", *given)


@task(
    name="train-cloud",
    help={
        "project": PROJECT,
        "region": "where it trains",
        "gpu": "cpu, l4 or t4, or several with commas, to be tried in this order",
        "also-in": "further regions to try each of them in, with commas",
        "machines": "how many train together",
        "spot": "on cheaper machines, which may be taken away: the training then goes on on others",
        "args": 'Hydra overrides, as in --args "experiment=animals10 data.root=gs://name/raw/raw-img"',
        "tag": "of the image",
        "wandb": "track it in W&B, with the key in Secret Manager",
        "announce": "github://OWNER/REPOSITORY that is told of the version",
        "feedback": "train on the judged pictures too",
        "follow": "show its log until it ends",
        "dry-run": "print what would be done",
    },
)
def train_cloud(
    _: Context,
    project: str = "",
    region: str = "europe-west1",
    gpu: str = "cpu",
    also_in: str = "",
    machines: int = 1,
    spot: bool = False,
    args: str = "",
    tag: str = "latest",
    wandb: bool = False,
    announce: str = "",
    feedback: bool = False,
    follow: bool = False,
    dry_run: bool = False,
) -> None:
    """Train on Vertex AI.

    For example: invoke train-cloud --gpu l4,cpu --follow --args "experiment=animals10 trainer.epochs=4"
    """
    given = options(project=project, region=region, gpu=gpu, also_in=also_in, machines=machines, tag=tag)
    switches = options(spot=spot, wandb=wandb, feedback=feedback, follow=follow, dry_run=dry_run)
    python("animals.cloud", "train", *given, *options(args=args, announce=announce), *switches)
