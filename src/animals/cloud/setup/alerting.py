"""Who is woken, when, and what there is to look at."""

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
"""Of policies and the dashboard: says from which text they were made, so that a second run need not touch them."""

UPTIME: Final = f"{PREFIX}Page"


def channel(setup: Setup) -> Iterator[Command]:
    """Where alerts go."""
    if setup.email and not _channel(setup):
        yield setup.command(
            f"tell {setup.email} of alerts",
            *("beta", "monitoring", "channels", "create", "--type=email", f"--display-name={PREFIX}{setup.email}"),
            f"--channel-labels=email_address={setup.email}",
        )
    if not setup.email:
        setup.left.append(
            "Give --email ADDRESS if somebody is to hear of alerts; without, they are only in the console."
        )


def _channel(setup: Setup) -> str:
    """Its full name; nothing if it is not there."""
    ask = setup.command("see who hears of alerts", "beta", "monitoring", "channels", "list")
    for found in setup.gcloud.read(ask) or ():
        if found.get("labels", {}).get("email_address") == setup.email:
            return str(found["name"])
    return ""


def metrics(setup: Setup) -> Iterator[Command]:
    """Numbers out of the line that the daily check prints."""
    group = ("logging", "metrics")
    for path in sorted(METRICS.glob("*.json")):
        look = setup.command(f"see how the metric {path.stem} is", *group, "describe", path.stem)
        found, config = setup.gcloud.find(look), f"--config-from-file={shown(path)}"
        if found is None:
            yield setup.command(f"make the metric {path.stem}", *group, "create", path.stem, config)
        elif any(found.get(key) != value for key, value in _told(path).items()):
            yield setup.command(f"bring the metric {path.stem} up to date", *group, "update", path.stem, config)


def _told(path: Path) -> dict[str, str]:
    wanted = json.loads(path.read_text(encoding="utf-8"))
    return {key: value for key, value in wanted.items() if key != "metricDescriptor"}  # which is answered with more


def alerts(setup: Setup) -> Iterator[Command]:
    """One policy for each file."""
    group = ("monitoring", "policies")
    found = setup.gcloud.read(setup.command("see which alerts there are", *group, "list")) or ()
    there = {policy["displayName"]: policy for policy in found}
    wanted = _wanted(setup) if setup.email else ""
    for path in sorted(ALERTS.glob("*.yaml")):
        yield from _alert(setup, path, there.get(_name(path)), wanted)


def _wanted(setup: Setup) -> str:
    """The channel that policies are to name."""
    if setup.gcloud.dry_run:
        setup.left.append("CHANNEL above stands for the name that `gcloud beta monitoring channels list` prints.")
        return f"projects/{setup.place.project}/notificationChannels/CHANNEL"
    if channel := _channel(setup):
        return channel
    raise CloudError(f"{setup.email} is not told of alerts yet, so none is made that would reach nobody.")


def _alert(setup: Setup, path: Path, found: Any, channel: str) -> Iterator[Command]:
    group, file, mark = ("monitoring", "policies"), f"--policy-from-file={shown(path)}", _mark(path)
    if found is None:
        told = (f"--notification-channels={channel}",) if channel else ()
        words = (file, f"--user-labels={LABEL}={mark}", *told)
        yield setup.command(f"alert of {_name(path)}", *group, "create", *words)
        return
    channels = list(found.get("notificationChannels", ()))
    heard = channels if not channel or channel in channels else [*channels, channel]
    if found.get("userLabels", {}).get(LABEL) == mark and heard == channels:
        return
    told = (f"--set-notification-channels={','.join(heard)}",) if heard else ()
    words = (found["name"], file, f"--update-user-labels={LABEL}={mark}", *told)
    yield setup.command(f"bring the alert of {_name(path)} up to date", *group, "update", *words)


def _name(path: Path) -> str:
    """Of the policy in a file, which is YAML that the standard library cannot read."""
    found = re.search(r"^displayName: (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise CloudError(f"{path} has no line such as displayName: {PREFIX}Slow. Give it one.")
    return found[1]


def _mark(path: Path) -> str:
    text = path.read_text(encoding="utf-8")  # so that the ends of lines are the same on every system
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def dashboard(setup: Setup) -> Iterator[Command]:
    """Traffic, errors, time, instances, and what the last checks found."""
    group = ("monitoring", "dashboards")
    wanted = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    found = setup.gcloud.read(setup.command("see which dashboards there are", *group, "list")) or ()
    there = next((one for one in found if one["displayName"] == wanted["displayName"]), None)
    if there is None:
        config = f"--config-from-file={shown(_marked(wanted))}"
        yield setup.command("make the dashboard", *group, "create", config)
    elif there.get("labels", {}).get(LABEL) != _mark(DASHBOARD):
        config = f"--config-from-file={shown(_marked(wanted, etag=there['etag']))}"
        yield setup.command("bring the dashboard up to date", *group, "update", there["name"], config)


def _marked(wanted: dict[str, Any], **more: str) -> Path:
    """Write it with its mark."""
    path = Path.cwd() / FILLED / DASHBOARD.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**wanted, **more, "labels": {LABEL: _mark(DASHBOARD)}}, indent=2), encoding="utf-8")
    except OSError as error:
        raise CloudError(f"{path} cannot be written: {error}.") from error
    return path


def uptime(setup: Setup) -> Iterator[Command]:
    """Whether the page answers, asked from outside. Its address is known when it was deployed."""
    look = ("run", "services", "describe", FRONTEND, f"--region={setup.place.region}")
    found = setup.gcloud.find(setup.command("find the page's address", *look))
    group = ("monitoring", "uptime")
    if found is None and not setup.gcloud.dry_run:
        setup.left.append(
            f"Run this again after the first deployment: {FRONTEND} is not there yet, which is to be watched."
        )
        return
    host = found["status"]["url"].removeprefix("https://") if found else "PAGE"
    if found is None:
        setup.left.append(f"PAGE above stands for the host of {FRONTEND}; the check is made once that is deployed.")
    known = setup.gcloud.read(setup.command("see what is asked from outside", *group, "list-configs")) or ()
    if any(one["displayName"] == UPTIME for one in known):
        return
    yield setup.command(
        "ask every five minutes, from three continents, whether the page is there",
        *(*group, "create", UPTIME, "--resource-type=uptime-url"),
        f"--resource-labels=host={host},project_id={setup.place.project}",
        *("--protocol=https", "--path=/_stcore/health", "--period=5", "--timeout=30"),
        "--regions=europe,usa-virginia,asia-pacific",
    )
