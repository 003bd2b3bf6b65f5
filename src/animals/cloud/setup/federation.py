"""Workload Identity Federation: a workflow at GitHub exchanges its own token for one of a service account.

There is no key that could leak.
"""

from collections.abc import Iterator
from typing import Final

from animals.cloud.gcloud import Command
from animals.cloud.setup.steps import Setup
from animals.cloud.target import POOL, PROVIDER, Account

ISSUER: Final = "https://token.actions.githubusercontent.com"

MAPPING: Final = "google.subject=assertion.sub,attribute.repository=assertion.repository,attribute.ref=assertion.ref"

ROLE: Final = "roles/iam.workloadIdentityUser"

GROUP: Final = ("iam", "workload-identity-pools")


def pool(setup: Setup) -> Iterator[Command]:
    """Create the pool of identities, with GitHub as provider for only one repository."""
    if not setup.github:
        setup.todo.append("Pass --github OWNER/REPO to let workflows at GitHub deploy and read pictures.")
        return
    where = (POOL, "--location=global")
    existing = setup.gcloud.find(setup.command("check whether the pool exists", *GROUP, "describe", *where))
    if existing is None:
        name = f"--display-name={POOL}"
        yield setup.command("create the pool of identities from GitHub", *GROUP, "create", *where, name)
    elif existing.get("state") == "DELETED":
        yield setup.command("restore the deleted pool", *GROUP, "undelete", *where)
    yield from _provider(setup)


def _provider(setup: Setup) -> Iterator[Command]:
    group = (*GROUP, "providers")
    where = (PROVIDER, "--location=global", f"--workload-identity-pool={POOL}")
    condition = f"assertion.repository=='{setup.github}'"
    settings = (f"--issuer-uri={ISSUER}", f"--attribute-mapping={MAPPING}", f"--attribute-condition={condition}")
    existing = setup.gcloud.find(setup.command("read the provider of the pool", *group, "describe", *where))
    if existing is None:
        yield setup.command(f"trust the workflows of {setup.github}", *group, "create-oidc", *where, *settings)
        return
    if existing.get("state") == "DELETED":
        yield setup.command("restore the deleted provider", *group, "undelete", *where)
    mapping = ",".join(f"{key}={value}" for key, value in existing.get("attributeMapping", {}).items())
    if (existing.get("attributeCondition"), sorted(mapping.split(","))) != (condition, sorted(MAPPING.split(","))):
        yield setup.command(f"trust only the workflows of {setup.github}", *group, "update-oidc", *where, *settings)


def members(setup: Setup) -> Iterator[Command]:
    """Let workflows act as accounts: any branch may read pictures, only main may deploy and promote."""
    if not setup.github:
        return
    anywhere, main = f"attribute.repository/{setup.github}", "attribute.ref/refs/heads/main"
    yield from _member(setup, "reader", anywhere, f"let workflows of {setup.github} read pictures")
    yield from _member(setup, "deployer", main, "let workflows on main deploy")
    variables = {
        "GCP_PROJECT": setup.target.project,
        "GCP_REGION": setup.target.region,
        "GCP_WORKLOAD_IDENTITY_PROVIDER": f"{_pool_name(setup)}/providers/{PROVIDER}",
        "GCP_DEPLOYER": setup.target.account("deployer"),
        "GCP_DATA_READER": setup.target.account("reader"),
    }
    setup.todo.append("Set the variables of the repository once (https://cli.github.com):")
    setup.todo.extend(
        f"gh variable set {name} --repo {setup.github} --body {value}" for name, value in variables.items()
    )


def _member(setup: Setup, account: Account, who: str, why: str) -> Iterator[Command]:
    email = setup.target.account(account)
    member = f"principalSet://iam.googleapis.com/{_pool_name(setup)}/{who}"
    group = ("iam", "service-accounts")
    command = setup.command(f"read who may act as animals-{account}", *group, "get-iam-policy", email)
    policy = setup.gcloud.read(command) or {}
    if not any(member in binding["members"] for binding in policy.get("bindings", ()) if binding["role"] == ROLE):
        words = (f"--member={member}", f"--role={ROLE}", "--condition=None")
        yield setup.command(why, *group, "add-iam-policy-binding", email, *words)


def _pool_name(setup: Setup) -> str:
    return f"projects/{setup.number}/locations/global/workloadIdentityPools/{POOL}"
