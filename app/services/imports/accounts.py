"""The accounts of an import: found by the source's key, made where there is none, kept as the source describes them."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.domain.identity import (
    USERNAME_MAX,
    Account,
    AccountStatus,
    Email,
    EmailTaken,
    ExternalIdTaken,
    User,
    Username,
    UsernameTaken,
)
from app.domain.ids import Ids, UserId
from app.domain.unit_of_work import UnitOfWork
from app.services.imports.known import Found, Known
from app.services.imports.records import SourceAuthor

_email: TypeAdapter[str] = TypeAdapter(Email)
_username: TypeAdapter[str] = TypeAdapter(Username)
_NUMBERED = 20
"""Namesakes told apart by number; each further one gets a suffix of its own, or a thousand would cost half a million
tries."""


async def found_or_made(uow: UnitOfWork, author: SourceAuthor, ids: Ids, known: Known, found: Found) -> UserId:
    """The account of an author, made when there is none: without a password, so nobody can log in to it.

    One statement mostly: a first import makes accounts without looking, for the external id can be taken only once.
    """
    if not known.authors_are_new:
        user = await uow.users.find_by_external_id(author.key)
        if user is not None:
            return user.id
        known.authors_are_new = True
    return await _made(uow, author, ids, known, found)


async def as_described(uow: UnitOfWork, author: SourceAuthor, ids: Ids, known: Known, found: Found) -> UserId:
    """The account of somebody the source describes: made, or brought up to what the source says of them now."""
    made_before = found.accounts_created
    user_id = await found_or_made(uow, author, ids, known, found)
    if found.accounts_created > made_before:
        return user_id
    user = await uow.users.find_by_id(user_id)
    if user is not None and _differs(user, author):
        account = await uow.users.hold(user_id)
        await uow.users.save(account.changed(**_described(author)))
    return user_id


async def _made(uow: UnitOfWork, author: SourceAuthor, ids: Ids, known: Known, found: Found) -> UserId:
    email = _email_of(author)
    for username in _usernames(author):
        while True:
            account = Account(
                id=UserId(ids()),
                tenant_id=uow.actor.tenant_id,
                username=username,
                email=email,
                external_id=author.key,
                account_type=author.account_type,
                created_at=uow.now,
                updated_at=uow.now,
                **_described(author),
            )
            try:
                await uow.users.create(account)
            except UsernameTaken:
                break  # the next name
            except EmailTaken:  # by another account, who may or may not be the same person: not for us to say
                email = None
                continue
            except ExternalIdTaken:
                known.authors_are_new = False
                user = await uow.users.find_by_external_id(author.key)
                if user is None:
                    raise
                return user.id
            found.accounts_created += 1
            return account.id
    raise UsernameTaken


def _described(author: SourceAuthor) -> dict[str, Any]:
    """The fields a source tells of."""
    return {
        "display_name": author.name,
        "first_name": author.first_name,
        "last_name": author.last_name,
        "account_status": AccountStatus.DEACTIVATED if author.is_deactivated else AccountStatus.ACTIVE,
    }


def _differs(user: User, author: SourceAuthor) -> bool:
    return any(getattr(user, field) != value for field, value in _described(author).items())


def _email_of(author: SourceAuthor) -> str | None:
    if author.email is None:
        return None
    try:
        return _email.validate_python(author.email)
    except ValidationError:
        return None


def _usernames(author: SourceAuthor) -> Iterable[str]:
    """The names to try, best first: the author's own, then with a number, then with letters only this author has."""
    own = (author.handle or author.name)[:USERNAME_MAX]
    try:
        _username.validate_python(own)
    except ValidationError:  # cut where only invisible characters remain, or with a key too long
        own = "member"
    last = f"-{sha256(author.key.encode()).hexdigest()[:12]}"
    suffixes = ["", *(f"-{number}" for number in range(2, _NUMBERED + 1)), last]
    return (f"{own[: USERNAME_MAX - len(suffix)]}{suffix}" for suffix in suffixes)
