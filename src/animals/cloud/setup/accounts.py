"""Service accounts and their roles."""

from collections.abc import Iterator
from typing import Any, Final

from animals.cloud.gcloud import Command
from animals.cloud.setup.grants import GRANTS, Grant
from animals.cloud.setup.steps import Setup
from animals.cloud.target import ACCOUNTS, CHECK, GITHUB_TOKEN, REPOSITORY, SIGNING_KEY, TOPIC, WANDB_KEY, Target

TITLES: Final = {
    "trainer": "trains on Vertex AI",
    "backend": "answers",
    "frontend": "shows the page",
    "report": "reports, and checks every day",
    "deployer": "builds and deploys",
    "reader": "reads the pictures of a change, from GitHub",
}


def accounts(setup: Setup) -> Iterator[Command]:
    """Create an account for each service."""
    group = ("iam", "service-accounts")
    command = setup.command("list the service accounts", *group, "list", "--format=value(email)")
    existing = set(setup.gcloud.output(command).split())
    for name in ACCOUNTS:
        if setup.target.account(name) not in existing:
            words = (f"animals-{name}", f"--display-name=animals: {TITLES[name]}")
            yield setup.command(f"create the account that {TITLES[name]}", *group, "create", *words)


def grants(setup: Setup) -> Iterator[Command]:
    """Grant missing roles of the table; report additional roles, but keep them."""
    for on in dict.fromkeys(grant.on for grant in GRANTS):
        yield from _grants_on(setup, on, [grant for grant in GRANTS if grant.on == on])


def _grants_on(setup: Setup, on: str, expected: list[Grant]) -> Iterator[Command]:
    group, thing = _resource(setup.target, on)
    command = setup.command(f"read the roles on {_called(on)}", *group, "get-iam-policy", *thing)
    policy = setup.gcloud.find(command)
    if policy is None and not setup.gcloud.dry_run and on == "job animals-check":
        setup.todo.append(
            f"Run this again after the first deployment, so that {CHECK} can be started: it does not exist yet."
        )
        return
    actual = _bindings(policy or {})
    for grant in expected:
        if _binding(setup.target, grant) not in actual:
            yield bind(setup, grant)
    for member, role, condition in sorted(actual - {_binding(setup.target, grant) for grant in expected}):
        if member in {setup.target.account(name) for name in ACCOUNTS}:
            words = (f"--member=serviceAccount:{member}", f"--role={role}", *_no_condition(on))
            under = "" if not condition else f" under the condition {condition}"
            remove = setup.command("", *group, "remove-iam-policy-binding", *thing, *words)
            setup.todo.append(
                f"{member} has {role} on {_called(on)}{under}, but does not need it. Remove it with: {remove}"
            )


def bind(setup: Setup, grant: Grant) -> Command:
    """Return the command that grants a role."""
    group, thing = _resource(setup.target, grant.on)
    member = f"--member=serviceAccount:{setup.target.account(grant.account)}"
    condition = _no_condition(grant.on)
    if grant.under:
        title = f"under {grant.under.rstrip('/')}".replace("/", " ").replace(".json", "")
        condition = (f"--condition=title={title},expression={expression(setup.target, grant)}",)
    words = (*group, "add-iam-policy-binding", *thing, member, f"--role=roles/{grant.role}", *condition)
    under = f" under {grant.under}" if grant.under else ""
    return setup.command(f"grant animals-{grant.account} {grant.role} on {_called(grant.on)}{under}", *words)


def _resource(target: Target, on: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the group of commands for a resource, and the words that name it."""
    match on.split():
        case ["project"]:
            return ("projects",), (target.project,)
        case ["bucket"]:
            return ("storage", "buckets"), (target.bucket,)
        case ["pictures"]:
            return ("storage", "buckets"), (target.data_bucket,)
        case ["images"]:
            return ("artifacts", "repositories"), (REPOSITORY, f"--location={target.region}")
        case ["topic"]:
            return ("pubsub", "topics"), (TOPIC,)
        case ["account", name]:
            return ("iam", "service-accounts"), (f"animals-{name}@{target.project}.iam.gserviceaccount.com",)
        case ["job", name]:
            return ("run", "jobs"), (name, f"--region={target.region}")
        case _:
            secrets = {"signing key": SIGNING_KEY, "W&B key": WANDB_KEY, "GitHub token": GITHUB_TOKEN}
            return ("secrets",), (secrets[on],)


def expression(target: Target, grant: Grant) -> str:
    """Return the condition, with single quotes, which gcloud.cmd does not change on Windows."""
    return f"resource.name.startsWith('projects/_/buckets/{target.bucket.removeprefix('gs://')}/objects/{grant.under}')"


def _no_condition(on: str) -> tuple[str, ...]:
    # without it gcloud prompts if other bindings have conditions; topics and jobs have none
    return () if on in ("topic", "job animals-check") else ("--condition=None",)


def _called(on: str) -> str:
    return on if on.startswith("account") else f"the {on}"


def _binding(target: Target, grant: Grant) -> tuple[str, str, str]:
    condition = expression(target, grant) if grant.under else ""
    return target.account(grant.account), f"roles/{grant.role}", condition


def _bindings(policy: Any) -> set[tuple[str, str, str]]:
    """Return account, role and condition of each binding."""
    return {
        (member.removeprefix("serviceAccount:"), binding["role"], binding.get("condition", {}).get("expression", ""))
        for binding in policy.get("bindings", ())
        for member in binding.get("members", ())
    }
