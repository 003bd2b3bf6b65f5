"""Alerts, metrics from the log, the dashboard and the uptime check."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from animals.cloud.gcloud import Command
from animals.cloud.setup.steps import Setup, shown
from animals.cloud.target import FRONTEND, PREFIX
from animals.cloud.template import FILES, FILLED
from animals.errors import CloudError

ALERTS: Final = FILES / "alerts"
METRICS: Final = FILES / "metrics"
DASHBOARD: Final = FILES / "dashboard.json"

LABEL: Final = "sha"
"""Label of policies and the dashboard with the checksum of their file, so that unchanged ones are kept."""

UPTIME: Final = f"{PREFIX}Page"


def channel(setup: Setup) -> Iterator[Command]:
    """Create the channel that sends alerts to an email address."""
    if setup.email and not _find_channel(setup):
        yield setup.command(
            f"send alerts to {setup.email}",
            *("beta", "monitoring", "channels", "create", "--type=email", f"--display-name={PREFIX}{setup.email}"),
            f"--channel-labels=email_address={setup.email}",
        )
    if not setup.email:
        setup.todo.append("Pass --email ADDRESS to get alerts by email; without it they are only in the console.")


def _find_channel(setup: Setup) -> str:
    """Return its full name; empty if it does not exist."""
    command = setup.command("list the channels of alerts", "beta", "monitoring", "channels", "list")
    for existing in setup.gcloud.read(command) or ():
        if existing.get("labels", {}).get("email_address") == setup.email:
            return str(existing["name"])
    return ""


def metrics(setup: Setup) -> Iterator[Command]:
    """Create the metrics from the line that the retrain check prints."""
    group = ("logging", "metrics")
    for path in sorted(METRICS.glob("*.json")):
        describe = setup.command(f"read the metric {path.stem}", *group, "describe", path.stem)
        existing, config = setup.gcloud.find(describe), f"--config-from-file={shown(path)}"
        expected = json.loads(path.read_text(encoding="utf-8"))  # its metricDescriptor is returned extended
        if existing is None:
            yield setup.command(f"create the metric {path.stem}", *group, "create", path.stem, config)
        elif any(existing.get(key) != value for key, value in expected.items() if key != "metricDescriptor"):
            yield setup.command(f"update the metric {path.stem}", *group, "update", path.stem, config)


def alerts(setup: Setup) -> Iterator[Command]:
    """Create a policy for each file."""
    policies = setup.gcloud.read(setup.command("list the alerts", "monitoring", "policies", "list")) or ()
    existing = {policy["displayName"]: policy for policy in policies}
    channel = ""
    if setup.email and setup.gcloud.dry_run:
        setup.todo.append("Replace CHANNEL above by the name that `gcloud beta monitoring channels list` prints.")
        channel = f"projects/{setup.target.project}/notificationChannels/CHANNEL"
    elif setup.email and not (channel := _find_channel(setup)):
        raise CloudError(f"There is no channel for {setup.email} yet; alerts without a channel would not be sent.")
    for path in sorted(ALERTS.glob("*.yaml")):
        yield from _alert(setup, path, existing.get(_name(path)), channel)


def _alert(setup: Setup, path: Path, existing: Any, channel: str) -> Iterator[Command]:
    group, file, checksum = ("monitoring", "policies"), f"--policy-from-file={shown(path)}", _checksum(path)
    if existing is None:
        flags = (f"--notification-channels={channel}",) if channel else ()
        words = (file, f"--user-labels={LABEL}={checksum}", *flags)
        yield setup.command(f"create the alert {_name(path)}", *group, "create", *words)
        return
    actual = list(existing.get("notificationChannels", ()))
    channels = actual if not channel or channel in actual else [*actual, channel]
    if existing.get("userLabels", {}).get(LABEL) == checksum and channels == actual:
        return
    flags = (f"--set-notification-channels={','.join(channels)}",) if channels else ()
    words = (existing["name"], file, f"--update-user-labels={LABEL}={checksum}", *flags)
    yield setup.command(f"update the alert {_name(path)}", *group, "update", *words)


def _name(path: Path) -> str:
    """Return the name of the policy in a file, which is YAML that the standard library cannot read."""
    match = re.search(r"^displayName: (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise CloudError(f"{path} has no displayName; expected a line such as displayName: {PREFIX}Slow.")
    return match[1]


def _checksum(path: Path) -> str:
    text = path.read_text(encoding="utf-8")  # so that line ends are the same on every system
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def dashboard(setup: Setup) -> Iterator[Command]:
    """Create the dashboard: requests, errors, latency, instances, and the results of the last checks."""
    group = ("monitoring", "dashboards")
    settings = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    dashboards = setup.gcloud.read(setup.command("list the dashboards", *group, "list")) or ()
    existing = next((one for one in dashboards if one["displayName"] == settings["displayName"]), None)
    if existing is None:
        yield setup.command("create the dashboard", *group, "create", _write_dashboard(settings))
    elif existing.get("labels", {}).get(LABEL) != _checksum(DASHBOARD):
        config = _write_dashboard(settings | {"etag": existing["etag"]})
        yield setup.command("update the dashboard", *group, "update", existing["name"], config)


def _write_dashboard(settings: dict[str, Any]) -> str:
    """Write the dashboard with its checksum as a label, and return the flag with the file."""
    path = Path.cwd() / FILLED / DASHBOARD.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(settings | {"labels": {LABEL: _checksum(DASHBOARD)}}, indent=2)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CloudError(f"{path} cannot be written: {error}.") from error
    return f"--config-from-file={shown(path)}"


def uptime(setup: Setup) -> Iterator[Command]:
    """Create the uptime check of the page, whose URL is known after its deployment."""
    describe = ("run", "services", "describe", FRONTEND, f"--region={setup.target.region}")
    page = setup.gcloud.find(setup.command("read the page's URL", *describe))
    group = ("monitoring", "uptime")
    if page is None and not setup.gcloud.dry_run:
        setup.todo.append(f"Run this again after the first deployment, to monitor {FRONTEND}: it does not exist yet.")
        return
    host = page["status"]["url"].removeprefix("https://") if page else "PAGE"
    if page is None:
        setup.todo.append(f"Replace PAGE above by the host of {FRONTEND}; the check is created after its deployment.")
    checks = setup.gcloud.read(setup.command("list the uptime checks", *group, "list-configs")) or ()
    if any(check["displayName"] == UPTIME for check in checks):
        return
    yield setup.command(
        "request the page every five minutes from three continents",
        *(*group, "create", UPTIME, "--resource-type=uptime-url"),
        f"--resource-labels=host={host},project_id={setup.target.project}",
        *("--protocol=https", "--path=/_stcore/health", "--period=5", "--timeout=30"),
        "--regions=europe,usa-virginia,asia-pacific",
    )
