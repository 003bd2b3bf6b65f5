"""Workload Identity Federation: a workflow at GitHub shows its own token, and becomes a service account for an hour.

No key is made, so none can leak.
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
    """The pool of identities and GitHub as their provider, for one repository alone."""
    if not setup.github:
        setup.left.append("Give --github OWNER/REPO if workflows at GitHub are to deploy and to read pictures.")
        return
    where = (POOL, "--location=global")
    found = setup.gcloud.find(setup.command("see whether the pool is there", *GROUP, "describe", *where))
    if found is None:
        name = f"--display-name={POOL}"
        yield setup.command("make the pool of identities from GitHub", *GROUP, "create", *where, name)
    elif found.get("state") == "DELETED":
        yield setup.command("take back the pool that was deleted", *GROUP, "undelete", *where)
    yield from _provider(setup)


def _provider(setup: Setup) -> Iterator[Command]:
    group = (*GROUP, "providers")
    where = (PROVIDER, "--location=global", f"--workload-identity-pool={POOL}")
    condition = f"assertion.repository=='{setup.github}'"
    settings = (f"--issuer-uri={ISSUER}", f"--attribute-mapping={MAPPING}", f"--attribute-condition={condition}")
    found = setup.gcloud.find(setup.command("see whom the pool trusts", *group, "describe", *where))
    if found is None:
        yield setup.command(f"trust the workflows of {setup.github}", *group, "create-oidc", *where, *settings)
        return
    if found.get("state") == "DELETED":
        yield setup.command("take back the provider that was deleted", *group, "undelete", *where)
    mapping = ",".join(f"{key}={value}" for key, value in found.get("attributeMapping", {}).items())
    right = (found.get("attributeCondition"), sorted(mapping.split(","))) == (condition, sorted(MAPPING.split(",")))
    if not right:
        yield setup.command(f"trust the workflows of {setup.github} alone", *group, "update-oidc", *where, *settings)


def members(setup: Setup) -> Iterator[Command]:
    """Who becomes which account: any branch may read pictures, main alone may deploy and promote."""
    if not setup.github:
        return
    anywhere, main = f"attribute.repository/{setup.github}", "attribute.ref/refs/heads/main"
    yield from _member(setup, "reader", anywhere, f"let workflows of {setup.github} read pictures")
    yield from _member(setup, "deployer", main, "let workflows on main deploy")
    setup.left.append("Tell GitHub, once (https://cli.github.com):")
    setup.left.extend(
        f"gh variable set {name} --repo {setup.github} --body {value}" for name, value in variables(setup).items()
    )


def _member(setup: Setup, account: Account, who: str, why: str) -> Iterator[Command]:
    email = setup.place.account(account)
    member = f"principalSet://iam.googleapis.com/{_pool_name(setup)}/{who}"
    group = ("iam", "service-accounts")
    ask = setup.command(f"see who may become animals-{account}", *group, "get-iam-policy", email)
    policy = setup.gcloud.read(ask) or {}
    if not any(member in binding["members"] for binding in policy.get("bindings", ()) if binding["role"] == ROLE):
        words = (f"--member={member}", f"--role={ROLE}", "--condition=None")
        yield setup.command(why, *group, "add-iam-policy-binding", email, *words)


def variables(setup: Setup) -> dict[str, str]:
    """The repository variables that the workflows read."""
    return {
        "GCP_PROJECT": setup.place.project,
        "GCP_REGION": setup.place.region,
        "GCP_WORKLOAD_IDENTITY_PROVIDER": f"{_pool_name(setup)}/providers/{PROVIDER}",
        "GCP_DEPLOYER": setup.place.account("deployer"),
        "GCP_DATA_READER": setup.place.account("reader"),
    }


def _pool_name(setup: Setup) -> str:
    return f"projects/{setup.number}/locations/global/workloadIdentityPools/{POOL}"
