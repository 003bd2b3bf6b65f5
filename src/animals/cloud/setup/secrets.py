"""Secrets: the signing key is generated here, a person sets the others."""

import secrets as chance
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from animals.cloud.gcloud import Command, Input
from animals.cloud.setup.steps import Setup
from animals.cloud.target import GITHUB_TOKEN, SIGNING_KEY, WANDB_KEY, Secret

KEY: Final = Input('python3 -c "import secrets; print(secrets.token_hex(32))"', lambda: f"{chance.token_hex(32)}\n")
"""The value goes through standard input: every process of the machine can read arguments."""

OTHERS: Final[dict[Secret, str]] = {
    WANDB_KEY: "To log runs at Weights & Biases, its key",
    GITHUB_TOKEN: "To let a new version start a workflow at GitHub, a token that may write the repository's contents",
}


def secrets(setup: Setup) -> Iterator[Command]:
    """Create missing secrets, stored only in the region, and the value of the signing key."""
    command = setup.command("list the secrets", "secrets", "list", "--format=value(name.basename())")
    existing = set(setup.gcloud.output(command).split())
    for name in (SIGNING_KEY, *OTHERS):
        if name not in existing:
            where = ("--replication-policy=user-managed", f"--locations={setup.target.region}")
            yield setup.command(f"create the secret {name}", "secrets", "create", name, *where)
    add = setup.command("set a random value", "secrets", "versions", "add", SIGNING_KEY, "--data-file=-")
    if not _has_value(setup, SIGNING_KEY):
        yield replace(add, stdin=KEY)
    for name, what in OTHERS.items():
        if not _has_value(setup, name):
            fill = setup.command("", "secrets", "versions", "add", name, "--data-file=-")
            setup.todo.append(f"{what}, then Enter and Ctrl-D (on Windows Ctrl-Z and Enter): {fill}")


def _has_value(setup: Setup, name: Secret) -> bool:
    words = ("secrets", "versions", "list", name, "--filter=state=ENABLED", "--format=value(name)")
    return bool(setup.gcloud.output(setup.command(f"check whether {name} has a value", *words)).strip())
