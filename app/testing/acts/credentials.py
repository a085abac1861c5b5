"""Tokens are given out, used, voided and swept; hashes are made anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import strategies as st

from app.domain.credentials import NewToken, OneTimeToken, Purpose, hash_of
from app.domain.identity import Account, Email
from app.domain.ids import UserId
from app.domain.unit_of_work import Once, Reader, UnitOfWork
from app.testing import builders
from app.testing.sides import Act, Side
from app.testing.steps import BACK, FEW, WHERE, WHO, Look, Steps, unblocked

PURPOSES = st.sampled_from([Purpose.RESET_PASSWORD, Purpose.RESET_PASSWORD, Purpose.VERIFY_EMAIL])
SECONDS = st.sampled_from([1, 3600, 10**6])
HASHES = [builders.account().password_hash or "", "hash 1", "hash 2"]
"""What accounts of the machine begin with, and what becomes of it."""


def issue(user_id: UserId, token: NewToken) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> None:
        await uow.credentials.issue(user_id, token)

    return act


def issue_by_email(email: str, token: NewToken) -> Act:
    async def act(side: Side, verbs: Once) -> Email | None:
        return await verbs.credentials.issue_by_email(email, token)

    return act


def use(token: NewToken) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Account:
        return await uow.credentials.use(token.purpose, token.token_hash)

    return act


def find_token(token: NewToken) -> Act:
    async def act(side: Side, reader: Reader) -> OneTimeToken | None:
        return await reader.credentials.find_token(token.purpose, token.token_hash)

    return act


def void(user_id: UserId, purposes: Sequence[Purpose]) -> Act:
    """As services do it, with the account held."""

    async def act(side: Side, uow: UnitOfWork) -> None:
        await uow.users.hold(user_id)
        await uow.credentials.void(user_id, purposes)

    return act


def rehash(user_id: UserId, old: str, new: str) -> Act:
    async def act(side: Side, verbs: Once) -> bool:
        return await verbs.credentials.rehash(user_id, old, new)

    return act


def sweep(limit: int) -> Act:
    async def act(side: Side, verbs: Once) -> int:
        return await verbs.credentials.sweep_tokens(limit)

    return act


LOOKS: dict[str, Look] = {
    "find_by_login": lambda s, r, a: r.credentials.find_by_login(f"Name {a.limit}"),
    "find_account": lambda s, r, a: r.credentials.find_account(a.user_id),
}


class Credentials(Steps):
    """Tokens come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: list[NewToken] = []

    def _token(self, purpose: Purpose, seconds: int) -> NewToken:
        token_id = builders.new_id()
        expires_at = self.harnesses[0].clock() + timedelta(seconds=seconds)
        token = NewToken(id=token_id, purpose=purpose, token_hash=hash_of(token_id.hex), expires_at=expires_at)
        self.shared.add(token_id)
        self.tokens.append(token)
        return token

    @unblocked(where=WHERE, other=st.integers(0, 6), purpose=PURPOSES, seconds=SECONDS)
    def issue(self, where: int | None, other: int, purpose: Purpose, seconds: int) -> None:
        self._do(where, 5, issue(self._user(other), self._token(purpose, seconds)), alone="unit")

    @unblocked(where=WHERE, number=FEW, purpose=PURPOSES, seconds=SECONDS)
    def issue_by_email(self, where: int | None, number: int, purpose: Purpose, seconds: int) -> None:
        self._do(where, 5, issue_by_email(f"N{number}@example.org", self._token(purpose, seconds)), alone="once")

    @unblocked(where=WHERE, who=WHO, back=BACK)
    def use(self, where: int | None, who: int, back: int) -> None:
        """One of those given out, mostly of the last; which tokens are good is seen before."""
        if self.tokens:
            token = self.tokens[-1 - back % len(self.tokens)]
            self._do(None, who, find_token(token), alone="reader")
            self._do(where, who, use(token), alone="unit")

    @unblocked(where=WHERE, other=st.integers(0, 6), purposes=st.lists(PURPOSES, max_size=2))
    def void(self, where: int | None, other: int, purposes: list[Purpose]) -> None:
        self._do(where, 5, void(self._user(other), purposes), alone="unit")

    @unblocked(where=WHERE, other=st.integers(0, 6), old=FEW, new=FEW)
    def rehash(self, where: int | None, other: int, old: int, new: int) -> None:
        self._do(where, 5, rehash(self._user(other), HASHES[old], HASHES[new]), alone="once")

    @unblocked(where=WHERE, limit=st.sampled_from([1, 100, 100, 0]))
    def sweep(self, where: int | None, limit: int) -> None:
        self._do(where, 5, sweep(limit), alone="once")
