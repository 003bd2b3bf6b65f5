"""Service accounts, and what each may do."""

from collections.abc import Iterator
from typing import Any, Final

from animals.cloud.gcloud import Command
from animals.cloud.setup.grants import GRANTS, Grant, On
from animals.cloud.setup.steps import Setup
from animals.cloud.target import ACCOUNTS, CHECK, GITHUB_TOKEN, REPOSITORY, SIGNING_KEY, TOPIC, WANDB_KEY, Place

TITLES: Final = {
    "trainer": "trains on Vertex AI",
    "backend": "answers",
    "frontend": "shows the page",
    "report": "reports, and checks every day",
    "deployer": "builds and deploys",
    "reader": "reads the pictures of a change, from GitHub",
}


def accounts(setup: Setup) -> Iterator[Command]:
    """One for each service."""
    group = ("iam", "service-accounts")
    ask = setup.command("see which service accounts there are", *group, "list", "--format=value(email)")
    there = set(setup.gcloud.output(ask).split())
    for name in ACCOUNTS:
        if setup.place.account(name) not in there:
            words = (f"animals-{name}", f"--display-name=animals: {TITLES[name]}")
            yield setup.command(f"make the account that {TITLES[name]}", *group, "create", *words)


def grants(setup: Setup) -> Iterator[Command]:
    """What is missing of the table; what is beyond it is told, and left."""
    for on in dict.fromkeys(grant.on for grant in GRANTS):
        yield from _on(setup, on, [grant for grant in GRANTS if grant.on == on])


def _on(setup: Setup, on: On, wanted: list[Grant]) -> Iterator[Command]:
    group, thing = resource(setup.place, on)
    ask = setup.command(f"see who may do what with {_called(on)}", *group, "get-iam-policy", *thing)
    policy = setup.gcloud.find(ask)
    if policy is None and not setup.gcloud.dry_run and on == "job animals-check":
        setup.left.append(
            f"Run this again after the first deployment: {CHECK} is not there yet, which it lets be started."
        )
        return
    there = _bindings(policy or {})
    for grant in wanted:
        if _binding(setup.place, grant) not in there:
            yield bind(setup, grant)
    for member, role, condition in sorted(there - {_binding(setup.place, grant) for grant in GRANTS if grant.on == on}):
        if member in {setup.place.account(name) for name in ACCOUNTS}:
            words = (f"--member=serviceAccount:{member}", f"--role={role}", *_no_condition(on))
            takes = "" if not condition else f" under the condition {condition}"
            more = setup.command("", *group, "remove-iam-policy-binding", *thing, *words)
            setup.left.append(
                f"{member} has {role} on {_called(on)}{takes}, which it does not need. To take it: {more}"
            )


def bind(setup: Setup, grant: Grant) -> Command:
    """The command that grants it."""
    group, thing = resource(setup.place, grant.on)
    member = f"--member=serviceAccount:{setup.place.account(grant.account)}"
    condition = _no_condition(grant.on)
    if grant.under:
        condition = (f"--condition=title={title(grant)},expression={expression(setup.place, grant)}",)
    words = (*group, "add-iam-policy-binding", *thing, member, f"--role=roles/{grant.role}", *condition)
    under = f" under {grant.under}" if grant.under else ""
    return setup.command(f"let animals-{grant.account} have {grant.role} on {_called(grant.on)}{under}", *words)


def resource(place: Place, on: On) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The group of commands for a thing, and the words that name it."""
    match on.split():
        case ["project"]:
            return ("projects",), (place.project,)
        case ["bucket"]:
            return ("storage", "buckets"), (place.bucket,)
        case ["pictures"]:
            return ("storage", "buckets"), (place.data_bucket,)
        case ["images"]:
            return ("artifacts", "repositories"), (REPOSITORY, f"--location={place.region}")
        case ["topic"]:
            return ("pubsub", "topics"), (TOPIC,)
        case ["account", name]:
            return ("iam", "service-accounts"), (f"animals-{name}@{place.project}.iam.gserviceaccount.com",)
        case ["job", name]:
            return ("run", "jobs"), (name, f"--region={place.region}")
        case _:
            return ("secrets",), ({"signing": SIGNING_KEY, "W&B": WANDB_KEY}.get(on.split()[0], GITHUB_TOKEN),)


def title(grant: Grant) -> str:
    """Of the condition."""
    return f"under {grant.under.rstrip('/')}".replace("/", " ").replace(".json", "")


def expression(place: Place, grant: Grant) -> str:
    """Of the condition. In single quotes, which gcloud.cmd passes on as they are on Windows."""
    return f"resource.name.startsWith('projects/_/buckets/{place.bucket.removeprefix('gs://')}/objects/{grant.under}')"


def _no_condition(on: On) -> tuple[str, ...]:
    # without it gcloud would ask, where others have conditions; topics and jobs take none
    return () if on in ("topic", "job animals-check") else ("--condition=None",)


def _called(on: On) -> str:
    return on if on.startswith("account") else f"the {on}"


def _binding(place: Place, grant: Grant) -> tuple[str, str, str]:
    condition = expression(place, grant) if grant.under else ""
    return place.account(grant.account), f"roles/{grant.role}", condition


def _bindings(policy: Any) -> set[tuple[str, str, str]]:
    """Account, role and condition."""
    return {
        (member.removeprefix("serviceAccount:"), binding["role"], binding.get("condition", {}).get("expression", ""))
        for binding in policy.get("bindings", ())
        for member in binding.get("members", ())
    }
