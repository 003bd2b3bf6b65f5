"""`animals promote VERSION`: let a version serve, unless it is worse than the one that does.

Here and not in serving, because the gate compares tables, and pandas is in the trainer's environment.
"""

from animals import registry
from animals.errors import BrokenModel, DataError, NoModel, PromotionRefused, UsageError
from animals.records import Card, Current
from animals.storage import Storage


def promote(storage: Storage, version: str, *, reason: str = "", force: bool = False) -> Current:
    """Let a version serve, unless it is worse than the one that does.

    Args:
        storage: the bucket.
        version: published.
        reason: why, kept in the pointer.
        force: promote it although the gate objects; what it said is kept too.

    Raises:
        UsageError: force without a reason.
        PromotionRefused: the gate objects.
        NoModel: the bucket does not have that version.
        BrokenModel: it cannot be served.
        ObjectChanged: somebody else promoted another version at the same moment.
    """
    if force and not reason:
        raise UsageError('Forcing needs a reason, which is kept: --force --reason "why"')
    card = registry.read_card(storage, version)
    registry.read_file(storage, card, card.serving_file)  # forced or not, a damaged file could only be refused
    objection = find_objection(storage, card)
    if objection and not force:
        raise PromotionRefused(f'{objection} To let {version} serve nevertheless: --force --reason "why"')
    kept = reason or "promoted by hand"
    return registry.promote(storage, version, reason=f"{kept} (forced: {objection})" if objection else kept)


def find_objection(storage: Storage, card: Card) -> str | None:
    """Why a version should not replace the one that serves, in one sentence; None: nothing speaks against it."""
    try:
        serving = registry.read_card(storage, registry.read_current(storage).version)
    except NoModel:
        return None
    except BrokenModel as error:
        return f"The version that serves cannot be compared with: {error}"
    if serving.version == card.version:
        return None
    if set(serving.labels) != set(card.labels):
        other = ", ".join(sorted(set(serving.labels) ^ set(card.labels)))
        return f"{card.version} and {serving.version}, which serves, differ in their labels ({other})."
    return _compare(storage, card, serving)


def _compare(storage: Storage, card: Card, serving: Card) -> str | None:
    from animals.training.evaluation.compare import (  # pandas takes a second to import
        compare,
        read_rival,
        right_answers,
    )

    try:
        found = compare(right_answers(storage, card), read_rival(storage, card, serving))
    except (BrokenModel, DataError) as error:
        return str(error)
    if found.verdict != "worse":
        return None
    return (
        f"{card.version} is worse than {serving.version}, which serves: of the same test pictures {found.only_other} "
        f"are right with {serving.version} alone and {found.only_this} with {card.version} alone "
        f"(p = {found.p_value:.2g}, McNemar's test)."
    )
