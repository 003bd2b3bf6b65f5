"""Canary deployment: a new revision gets no traffic, then a share, then all; or the previous one gets it back.

`next_move` decides what comes next; `Canary` runs the commands.
"""

import enum
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from animals.cloud.gcloud import Gcloud
from animals.cloud.revisions import ALL, Traffic, change_traffic, read_traffic
from animals.cloud.target import Target
from animals.errors import AnimalsError, CloudError, Interrupted

TAG: Final = "candidate"
"""Tag of the new revision, which gives it a URL of its own."""

ATTEMPTS: Final = 3
"""Attempts to roll back: an interrupted change may still be running, and Cloud Run makes one at a time."""

OVERTAKEN: Final = "Another deployment has started; this one stopped and left the traffic as it is."


class Event(enum.Enum):
    """The result of a step."""

    PASSED = "it passed"
    FAILED = "a test or a command failed"
    INTERRUPTED = "the deployment was interrupted"
    OVERTAKEN = "its tag or its traffic share was changed"


class End(enum.Enum):
    """The last action of a deployment."""

    KEEP = "keep the new revision"
    ROLL_BACK = "roll back to the previous revision"
    LEAVE = "leave the traffic as it is"


def next_move(share: int, event: Event, steps: tuple[int, ...], *, first: bool) -> int | End:
    """Decide what comes after a step.

    Args:
        share: traffic share of the new revision, in percent.
        event: result of the step with this share.
        steps: the shares in their order; the last is all.
        first: whether there is no previous revision.

    Returns:
        The next share, or the last action.
    """
    if event is Event.PASSED:
        return next((step for step in steps if step > share), End.KEEP)
    if event is Event.OVERTAKEN or first:
        return End.LEAVE
    return End.ROLL_BACK


@dataclass(frozen=True, slots=True)
class Rollout:
    """A new revision of a service, and the steps to it."""

    service: str
    new: str
    previous: str | None
    """None for the first revision of the service."""
    steps: tuple[int, ...]

    @property
    def first(self) -> bool:
        """Whether there is no previous revision."""
        return self.previous is None


class Canary:
    """A canary deployment of a new revision.

    Args:
        target: project and region.
        gcloud: runs the commands, or prints them.
        rollout: the new revision and the previous one.
        deploy: creates the new revision: without traffic, unless it is the first.
        test: raises an error of this package if the new revision fails with this traffic share.
        pause: seconds between attempts to roll back.
    """

    def __init__(
        self,
        target: Target,
        gcloud: Gcloud,
        rollout: Rollout,
        *,
        deploy: Callable[[], None],
        test: Callable[[int, Traffic], None],
        pause: float = 5.0,
    ) -> None:
        self._target = target
        self._gcloud = gcloud
        self._rollout = rollout
        self._deploy = deploy
        self._test = test
        self._pause = pause

    def run(self) -> None:
        """Deploy, and roll back if a step fails.

        Raises:
            CloudError: a step failed, and the previous revision has all traffic again; or rolling back failed, and the
                message has the command to do it by hand.
            Interrupted: Ctrl-C or SIGTERM; the previous revision has all traffic again.
        """
        with _terminated_as_interrupted():
            move: int | End = ALL if self._rollout.first else 0
            event, reason = Event.PASSED, ""
            while not isinstance(move, End):
                share = move
                try:
                    event, reason = self._step(share)
                except KeyboardInterrupt:
                    event, reason = Event.INTERRUPTED, Event.INTERRUPTED.value
                move = next_move(share, event, self._rollout.steps, first=self._rollout.first)
            self._end(move, event, reason)

    def _step(self, share: int) -> tuple[Event, str]:
        """Give the new revision this share, and test it."""
        rollout = self._rollout
        try:
            if share == 0 or rollout.first:
                self._deploy()
            else:
                shares = {rollout.new: share, str(rollout.previous): ALL - share}
                self._change(shares, f"send {share} % of the traffic to {rollout.new}")
            self._test(share, self._traffic())
        except AnimalsError as error:
            return Event.FAILED, str(error)
        return (Event.PASSED, "") if self._is_unchanged(share) else (Event.OVERTAKEN, Event.OVERTAKEN.value)

    def _is_unchanged(self, share: int) -> bool:
        """Return whether tag and share are still as this deployment set them."""
        if self._gcloud.dry_run:
            return True
        traffic, new = self._traffic(), self._rollout.new
        return traffic.tagged(TAG) == new and traffic.shares.get(new, 0) == share

    def _is_overtaken(self) -> bool:
        """Return whether another deployment has the tag; False if the traffic cannot be read."""
        try:
            return self._traffic().tagged(TAG) not in (None, self._rollout.new)
        except CloudError:
            return False

    def _traffic(self) -> Traffic:
        traffic = read_traffic(self._target, self._gcloud, self._rollout.service)
        if traffic is None:
            raise CloudError(f"The service {self._rollout.service} on Cloud Run was deleted during the deployment.")
        return traffic

    def _change(self, shares: dict[str, int], why: str, *more: str) -> None:
        self._gcloud.run(change_traffic(self._target, self._rollout.service, shares, why, *more))

    def _end(self, end: End, event: Event, reason: str) -> None:
        rollout = self._rollout
        if end is End.KEEP:
            self._change({rollout.new: ALL}, f"keep {rollout.new} with all traffic", f"--remove-tags={TAG}")
            return
        if end is End.ROLL_BACK:
            result = self._roll_back(str(rollout.previous))
        elif event is Event.OVERTAKEN:
            result = OVERTAKEN
        else:
            result = f"It is the first revision of {rollout.service}; fix the error and deploy again."
        kind = Interrupted if event is Event.INTERRUPTED else CloudError
        raise kind(f"{rollout.new} was not kept: {reason.rstrip('.')}. {result}")

    def _roll_back(self, previous: str) -> str:
        """Send all traffic to the previous revision, without being interrupted.

        Returns:
            A sentence that says what was done.

        Raises:
            CloudError: it failed several times.
        """
        why = f"send all traffic back to {previous}"
        command = change_traffic(self._target, self._rollout.service, {previous: ALL}, why, f"--remove-tags={TAG}")
        with _uninterrupted():
            if self._is_overtaken():
                return OVERTAKEN
            for attempts_left in reversed(range(ATTEMPTS)):
                try:
                    self._gcloud.run(command)
                    break
                except CloudError as error:
                    if not attempts_left:
                        raise CloudError(f"{error} The traffic is unchanged. To do it by hand: {command}") from error
                    sys.stderr.write(f"{error} Trying again.\n")
                    time.sleep(self._pause)
        return f"{previous} has all traffic."


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM, also in commands started meanwhile."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
