"""`animals promote VERSION`: let a version serve, unless it is worse than the one that does.

It is part of training, not of serving, because the gate compares tables, and pandas is in the trainer's environment.
"""

import logging

from animals import registry
from animals.errors import BrokenModel, DataError, NoModel, PromotionRefused, UsageError
from animals.records import Card, Current
from animals.storage import Storage

log = logging.getLogger(__name__)


def promote(storage: Storage, version: str, *, reason: str = "", force: bool = False) -> Current:
    """Let a version serve, unless it is worse than the one that does.

    Args:
        storage: the bucket.
        version: a published version.
        reason: why, which the pointer keeps.
        force: promote it although the gate objects; the pointer keeps the objection too.

    Raises:
        UsageError: force without a reason.
        PromotionRefused: the gate objects.
        NoModel: the bucket does not have that version.
        BrokenModel: the version cannot be served.
        ObjectChanged: another version was promoted at the same moment.
    """
    if force and not reason:
        raise UsageError('Forcing needs a reason, which is kept: --force --reason "why"')
    card = registry.read_card(storage, version)
    registry.read_file(storage, card, card.serving_file)  # a damaged file is refused, forced or not
    objection = find_objection(storage, card)
    if objection and not force:
        raise PromotionRefused(f'{objection} To let {version} serve nevertheless: --force --reason "why"')
    kept = reason or "promoted by hand"
    return registry.promote(storage, version, reason=f"{kept} (forced: {objection})" if objection else kept)


def find_objection(storage: Storage, card: Card) -> str | None:
    """Return why a version should not replace the one that serves, in one sentence; None if there is no reason."""
    try:
        serving = registry.read_card(storage, registry.read_current(storage).version)
    except NoModel:
        return None
    except BrokenModel as error:
        return f"The version that serves cannot be read for a comparison: {error}"
    if serving.version == card.version:
        return None
    if other := card.differing_labels(serving):
        return f"{card.version} and {serving.version}, which serves, differ in their labels ({', '.join(other)})."
    return _compare(storage, card, serving)


def _compare(storage: Storage, card: Card, serving: Card) -> str | None:
    from animals.training.evaluation.compare import (  # pandas takes a second to import
        compare,
        correct_predictions,
        read_baseline,
    )

    try:
        comparison = compare(correct_predictions(storage, card), read_baseline(storage, card, serving))
    except (BrokenModel, DataError) as error:
        return str(error)
    if comparison.verdict != "worse":
        return None
    return (
        f"{card.version} is worse than {serving.version}, which serves: of the same test pictures "
        f"{comparison.only_other} are right with {serving.version} alone and {comparison.only_this} with "
        f"{card.version} alone (p = {comparison.p_value:.2g}, McNemar's test)."
    )


def promote_if_not_worse(storage: Storage, version: str, *, reason: str) -> None:
    """Promote a version; log a warning instead if it is worse than the one that serves."""
    try:
        promote(storage, version, reason=reason)
    except PromotionRefused as error:
        log.warning("%s", error)
