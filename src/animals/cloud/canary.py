"""How a new revision gets its visitors: none, then a part, then all of them, or back to the one before.

What comes next is decided in `next_move`, apart from the commands that do it.
"""

import enum
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from animals.cloud import revisions
from animals.cloud.gcloud import Command, Gcloud
from animals.cloud.revisions import ALL, Traffic
from animals.cloud.target import Place
from animals.errors import AnimalsError, CloudError, Interrupted

TAG: Final = "candidate"
"""Of the revision that is looked at: it has an address of its own."""

ATTEMPTS: Final = 3
"""To go back: a change that was interrupted may still be under way, and Cloud Run makes one at a time."""

LEFT: Final = "Another deployment has begun meanwhile; this one has stopped and leaves the visitors to that one."


class Event(enum.Enum):
    """What came of a step."""

    PASSED = "it passed"
    FAILED = "it failed a test, or a command did not work"
    INTERRUPTED = "somebody or something ended this program"
    OVERTAKEN = "its tag or its share of the visitors is not what it was"


class End(enum.Enum):
    """What to do last."""

    KEEP = "keep it"
    BACK = "send everybody to the revision before"
    LEAVE = "touch nothing more"


def next_move(share: int, event: Event, steps: tuple[int, ...], *, first: bool) -> int | End:
    """Where to go from here.

    Args:
        share: of the visitors that the new revision has, in percent.
        event: what came of looking at it.
        steps: the shares that it is to have, one after the other; the last is all.
        first: whether there is no revision before.

    Returns:
        The next share, or the end.
    """
    if event is Event.PASSED:
        return next((step for step in steps if step > share), End.KEEP)
    if event is Event.OVERTAKEN or first:
        return End.LEAVE
    return End.BACK


@dataclass(frozen=True, slots=True)
class Revisions:
    """Which revision follows which, and in what steps."""

    service: str
    new: str
    previous: str | None
    """None: this is the service's first."""
    steps: tuple[int, ...]

    @property
    def first(self) -> bool:
        """Whether there is no revision before."""
        return self.previous is None


class Canary:
    """Lets a new revision in, step by step.

    Args:
        place: where.
        gcloud: runs the commands, or prints them.
        revisions: the new one and the one before.
        deploy: makes the new revision: without visitors, unless it is the first.
        look: raises an error of this package if the new revision does not hold with this share of the visitors.
        pause: seconds between attempts to go back.
    """

    def __init__(
        self,
        place: Place,
        gcloud: Gcloud,
        revisions: Revisions,
        *,
        deploy: Callable[[], None],
        look: Callable[[int, Traffic], None],
        pause: float = 5.0,
    ) -> None:
        self._place = place
        self._gcloud = gcloud
        self._revisions = revisions
        self._deploy = deploy
        self._look = look
        self._pause = pause

    def run(self) -> None:
        """Do it.

        Raises:
            CloudError: the new revision did not hold, and the one before answers everybody again.
            Interrupted: the same, after Ctrl-C or SIGTERM.
            CloudError: everybody could not be sent back; the message has the command to do it by hand.
        """
        with _terminated_as_interrupted():
            move: int | End = ALL if self._revisions.first else 0
            event, why = Event.PASSED, ""
            while not isinstance(move, End):
                share = move
                try:
                    event, why = self._step(share)
                except KeyboardInterrupt:
                    event, why = Event.INTERRUPTED, Event.INTERRUPTED.value
                move = next_move(share, event, self._revisions.steps, first=self._revisions.first)
            self._end(move, event, why)

    def _step(self, share: int) -> tuple[Event, str]:
        """Give the new revision this share, and look at it."""
        revisions = self._revisions
        try:
            if share == 0 or revisions.first:
                self._deploy()
            else:
                shares = {revisions.new: share, str(revisions.previous): ALL - share}
                self._change(shares, f"let {share} % of the visitors in to {revisions.new}")
            self._look(share, self._traffic())
        except AnimalsError as error:
            return Event.FAILED, str(error)
        return (Event.PASSED, "") if self._ours(share) else (Event.OVERTAKEN, Event.OVERTAKEN.value)

    def _ours(self, share: int) -> bool:
        """Whether the tag and the share are still as this deployment left them."""
        if self._gcloud.dry_run:
            return True
        now = self._traffic()
        return now.tagged(TAG) == self._revisions.new and now.shares.get(self._revisions.new, 0) == share

    def _overtaken(self) -> bool:
        """Whether another deployment has the tag; where that cannot be told, it has not."""
        try:
            return self._traffic().tagged(TAG) not in (None, self._revisions.new)
        except CloudError:
            return False

    def _traffic(self) -> Traffic:
        found = revisions.look(self._place, self._gcloud, self._revisions.service)
        if found is None:
            raise CloudError(f"Cloud Run has no service {self._revisions.service}, which was there a moment ago.")
        return found

    def _change(self, shares: dict[str, int], why: str, *more: str) -> None:
        self._gcloud.run(revisions.change(self._place, self._revisions.service, shares, why, *more))

    def _end(self, end: End, event: Event, why: str) -> None:
        revisions = self._revisions
        if end is End.KEEP:
            self._change({revisions.new: ALL}, f"keep {revisions.new} for everybody", f"--remove-tags={TAG}")
            return
        if end is End.BACK:
            after = self._back(str(revisions.previous))
        elif event is Event.OVERTAKEN:
            after = LEFT
        else:
            after = f"It is the first of {revisions.service}: there is none to go back to. Mend it and deploy again."
        kind = Interrupted if event is Event.INTERRUPTED else CloudError
        raise kind(f"{revisions.new} was not kept: {why.rstrip('.')}. {after}")

    def _back(self, previous: str) -> str:
        """Send everybody to the revision before; nobody interrupts that.

        Returns:
            What was done.

        Raises:
            CloudError: it does not work.
        """
        why = f"send everybody back to {previous}"
        command = revisions.change(self._place, self._revisions.service, {previous: ALL}, why, f"--remove-tags={TAG}")
        with _uninterrupted():
            if self._overtaken():
                return LEFT
            for _ in range(ATTEMPTS - 1):
                if self._worked(command):
                    break
                time.sleep(self._pause)
            else:
                self._last_attempt(command)
        return f"{previous} answers everybody."

    def _last_attempt(self, command: Command) -> None:
        try:
            self._gcloud.run(command)
        except CloudError as error:
            raise CloudError(f"{error} The visitors are where they were. To do it by hand: {command}") from error

    def _worked(self, command: Command) -> bool:
        try:
            self._gcloud.run(command)
        except CloudError as error:
            sys.stderr.write(f"{error} Trying again.\n")
            return False
        return True


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM, by which others end this program, is like Ctrl-C here."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM, in the commands that are started meanwhile too."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
