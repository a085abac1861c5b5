"""Who may act, who bars whom, and by what an account is known elsewhere (SPEC 3.1)."""

from __future__ import annotations

from app.domain.errors import Conflict, Forbidden
from app.domain.values import Value

from . import Account, AccountInactive, AccountStatus, AccountType, ExternalId, User


class ExternalLink(Value):
    """How another system names an account."""

    external_id: ExternalId


# ── rules ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def require_standing(user: User) -> None:
    """Raises `AccountInactive` for a barred account."""
    if user.is_barred:
        raise AccountInactive(user_id=str(user.id))


_UNDER_A_SUPERVISOR = frozenset({AccountType.GUEST, AccountType.MEMBER, AccountType.AGENT, AccountType.ROBOT})


def require_over(acting: User | None, subject: User) -> None:
    """Who may suspend, reactivate, deactivate and link another's account: the application (None), an administrator
    anybody's, a supervisor all but those of supervisors and administrators. Raises `NotStaff`."""
    if acting is None or acting.account_type is AccountType.ADMIN:
        return
    if acting.account_type is AccountType.SUPERVISOR and subject.account_type in _UNDER_A_SUPERVISOR:
        return
    raise NotStaff(user_id=str(subject.id))


def barred(account: Account, status: AccountStatus) -> Account:
    """The account suspended or deactivated, which ends its sessions; unchanged when it is that already."""
    if account.account_status is status:
        return account
    return account.changed(account_status=status, session_epoch=account.session_epoch + 1)


def reactivated(account: Account) -> Account:
    """The account allowed to act again; an e-mail that was never verified still waits for it."""
    if not account.is_barred:
        return account
    waits = account.email is not None and not account.is_email_verified
    return account.changed(account_status=AccountStatus.PENDING_VERIFICATION if waits else AccountStatus.ACTIVE)


def linked(account: Account, external_id: ExternalId) -> Account:
    """The account known by an external id. Raises `AlreadyLinked` when it is known by another."""
    if account.external_id not in (None, external_id):
        raise AlreadyLinked(user_id=str(account.id))
    return account.changed(external_id=external_id)


def unlinked(account: Account) -> Account:
    """The account without its external id. Raises `NotKnownOtherwise` when nothing else would be left to know it by."""
    alone = account.account_type in (AccountType.GUEST, AccountType.ROBOT)
    if not alone and (account.email is None or account.password_hash is None):
        raise NotKnownOtherwise(user_id=str(account.id))
    return account.changed(external_id=None)


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class NotStaff(Forbidden):
    """Only the application, an administrator or (below supervisors) a supervisor does this to an account."""

    code = "not_staff"
    remedy = "Act with `Actor.system()`, or as an administrator."


class AlreadyLinked(Conflict):
    """The account is linked to another external id."""

    code = "already_linked"
    remedy = "Unlink it first."


class NotKnownOtherwise(Conflict):
    """Without its external id nothing would be left to know the account by."""

    code = "not_known_otherwise"
    remedy = "Give the account an e-mail and a password first."
