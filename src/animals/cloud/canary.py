"""Canary deployment: a new revision gets no traffic, then a share, then all; or the previous one gets it back."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from animals.cloud.gcloud import Gcloud
from animals.cloud.revisions import ALL, Traffic, change_traffic, read_traffic
from animals.cloud.target import Target
from animals.errors import AnimalsError, CloudError, Interrupted

TAG: Final = "candidate"
"""Tag of the new revision, which gives it a URL of its own."""

ATTEMPTS: Final = 3
"""Attempts to roll back: an interrupted change may still be running, and Cloud Run makes one at a time."""

_LEFT: Final = "Another deployment has started; this one stopped and left the traffic as it is."


class _Overtaken(CloudError):
    """Another deployment changed the tag or the traffic share of the new revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A canary deployment of a new revision of a service."""

    target: Target
    gcloud: Gcloud
    service: str
    new: str
    """Name of the new revision."""
    previous: str | None
    """Name of the revision that has all traffic now; None if the new one is the first."""
    steps: tuple[int, ...]
    """Traffic shares of the new revision in percent; the last is all."""
    deploy: Callable[[], None]
    """Creates the new revision: without traffic, unless it is the first."""
    test: Callable[[int, Traffic], None]
    """Raises an error of this package if the new revision fails with this traffic share."""
    pause: float = 5.0
    """Seconds between attempts to roll back."""

    def run(self) -> None:
        """Deploy, and roll back if a step fails.

        Raises:
            CloudError: a step failed, and the previous revision has all traffic again; or rolling back failed, and the
                message has the command to do it by hand.
            Interrupted: Ctrl-C or SIGTERM; the previous revision has all traffic again.
        """
        with _handle_signals(signal.default_int_handler, signal.SIGTERM):  # as Ctrl-C
            try:
                self.deploy()
                self._test(0 if self.previous else ALL)
                for share in self.steps if self.previous else ():
                    shares = {self.new: share, str(self.previous): ALL - share}
                    self._change(shares, f"send {share} % of the traffic to {self.new}")
                    self._test(share)
            except KeyboardInterrupt as interrupt:
                raise Interrupted(self._undo("the deployment was interrupted")) from interrupt
            except _Overtaken as error:
                raise CloudError(f"{self.new} was not kept: {error}") from error
            except AnimalsError as error:
                raise CloudError(self._undo(str(error))) from error
            self._change({self.new: ALL}, f"keep {self.new} with all traffic", f"--remove-tags={TAG}")

    def _test(self, share: int) -> None:
        """Test the new revision with this share, and check that tag and share are still as this deployment set them."""
        self.test(share, self._traffic())
        if self.gcloud.dry_run:
            return
        traffic = self._traffic()
        if traffic.tagged(TAG) != self.new or traffic.shares.get(self.new, 0) != share:
            raise _Overtaken(f"its tag or its traffic share was changed. {_LEFT}")

    def _traffic(self) -> Traffic:
        traffic = read_traffic(self.target, self.gcloud, self.service)
        if traffic is None:
            raise CloudError(f"The service {self.service} on Cloud Run was deleted during the deployment.")
        return traffic

    def _change(self, shares: dict[str, int], why: str, *more: str) -> None:
        self.gcloud.run(change_traffic(self.target, self.service, shares, why, *more))

    def _undo(self, reason: str) -> str:
        """Send all traffic to the previous revision, without being interrupted, and return what was done and why."""
        result = f"It is the first revision of {self.service}; fix the error and deploy again."
        if self.previous:
            with _handle_signals(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM):
                result = _LEFT if self._is_overtaken() else self._roll_back(self.previous)
        return f"{self.new} was not kept: {reason.rstrip('.')}. {result}"

    def _is_overtaken(self) -> bool:
        """Return whether another deployment has the tag; False if the traffic cannot be read."""
        try:
            return self._traffic().tagged(TAG) not in (None, self.new)
        except CloudError:
            return False

    def _roll_back(self, previous: str) -> str:
        why = f"send all traffic back to {previous}"
        command = change_traffic(self.target, self.service, {previous: ALL}, why, f"--remove-tags={TAG}")
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                self.gcloud.run(command)
                break
            except CloudError as error:
                if not attempts_left:
                    raise CloudError(f"{error} The traffic is unchanged. To do it by hand: {command}") from error
                sys.stderr.write(f"{error} Trying again.\n")
                time.sleep(self.pause)
        return f"{previous} has all traffic."


@contextmanager
def _handle_signals(handler: Any, *numbers: signal.Signals) -> Iterator[None]:
    """Handle signals within the block; with SIG_IGN, commands started meanwhile ignore them too."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
