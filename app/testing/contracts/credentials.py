"""The contracts of `CredentialReader`, `CredentialWriter` and `Credentials`."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.domain.credentials import SWEEP_MAX, NewToken, OneTimeToken, Purpose, TokenNotValid, hash_of
from app.domain.errors import Invalid
from app.domain.identity import Account, AccountStatus, UserNotFound
from app.domain.ids import UserId
from app.testing import builders
from app.testing.contracts.base import Contract, blocked, forms, goes_through, released
from app.testing.contracts.identity import UNSTORABLE
from app.testing.world import Form, World, user_of

HOUR = 3600
OLD, NEW, CHOSEN = "old", "new", "chosen"
"""Hashes of nobody's password."""


def _token(world: World, purpose: Purpose = Purpose.VERIFY_EMAIL, seconds: float = HOUR) -> NewToken:
    token_id = builders.new_id()
    return NewToken(
        id=token_id,
        purpose=purpose,
        token_hash=hash_of(token_id.hex),
        expires_at=world.harness.clock() + timedelta(seconds=seconds),
    )


async def _issued(world: World, user_id: UserId, *fields: Any) -> NewToken:
    token = _token(world, *fields)
    async with world.unit() as uow:
        await uow.credentials.issue(user_id, token)
        await uow.commit()
    return token


async def _use(world: World, token: NewToken) -> Account:
    async with world.unit() as uow:
        account = await uow.credentials.use(token.purpose, token.token_hash)
        await uow.commit()
    return account


async def _find(world: World, token: NewToken) -> OneTimeToken | None:
    return await world.reader().credentials.find_token(token.purpose, token.token_hash)


@pytest.mark.spec("3.1")
class CredentialsContract(Contract):
    """Accounts as login sees them."""

    async def test_an_account_is_found_with_what_login_needs(self, world: World) -> None:
        account = builders.account(tenant_id=world.tenant.id, email="Ann@Example.org", username="Ann Lee")
        async with world.unit() as uow:
            await uow.users.create(account)
            await uow.commit()
        async with world.unit() as uow:
            for credentials in (world.reader().credentials, uow.credentials):
                for login in ("ann@example.ORG", "\uff21nn@example.org", "ann  lee", "ANN LEE", "a\u200bnn lee"):
                    assert await credentials.find_by_login(login) == account
                assert await credentials.find_account(account.id) == account
                assert await credentials.find_by_login("bob") is None
                assert await credentials.find_account(UserId(builders.new_id())) is None

    async def test_an_address_is_not_hidden_by_a_username(self, world: World) -> None:
        ann = await world.person(email="ann@example.org", username="ann")
        eve = await world.person(username="ANN@example.org")
        for login, found in (("ann@example.org", ann), ("ann", ann)):
            account = await world.reader().credentials.find_by_login(login)
            assert account is not None
            assert account.id == found.user_id
        await world.change_account(ann, email="elsewhere@example.org")
        account = await world.reader().credentials.find_by_login("ann@example.org")
        assert account is not None
        assert account.id == eve.user_id

    @pytest.mark.parametrize("text", UNSTORABLE)
    async def test_text_that_names_nobody(self, world: World, text: str) -> None:
        await world.person(username="ann")
        assert await world.reader().credentials.find_by_login(text) is None
        assert await world.once().credentials.issue_by_email(text, _token(world)) is None

    async def test_deleted_and_foreign_accounts_are_absent(self, world: World) -> None:
        gone = await world.person(username="gone", email="gone@example.org")
        await world.change_account(gone, deleted_at=world.harness.clock())
        elsewhere = await World.new(world.harness)
        await elsewhere.person(username="far", email="far@example.org")
        for login in ("gone", "gone@example.org", "far", "far@example.org"):
            assert await world.reader().credentials.find_by_login(login) is None
        for person in (gone, elsewhere.people[0]):
            assert await world.reader().credentials.find_account(user_of(person)) is None

    @forms
    async def test_a_rehash_stands_for_the_very_password(self, world: World, form: Form) -> None:
        ann, bob = await world.person(password_hash=OLD), await world.person(password_hash=OLD)
        at = world.harness.clock.advance()
        before = await world.reader().credentials.find_account(user_of(ann))
        assert before is not None
        assert await world.perform(form, ann, lambda verbs: verbs.credentials.rehash(user_of(ann), OLD, NEW))
        after = await world.reader().credentials.find_account(user_of(ann))
        assert after == before.changed(password_hash=NEW, updated_at=at)
        assert not await world.perform(form, ann, lambda verbs: verbs.credentials.rehash(user_of(ann), OLD, CHOSEN))
        assert await world.reader().credentials.find_account(user_of(ann)) == after
        elsewhere = await World.new(world.harness)
        for actor, user_id in ((elsewhere.system, user_of(bob)), (ann, UserId(builders.new_id()))):
            assert not await world.perform(
                form,
                actor,
                lambda verbs, u=user_id: verbs.credentials.rehash(u, OLD, NEW),  # type: ignore[misc]  # a default binds the loop's value
            )
        unchanged = await world.reader().credentials.find_account(user_of(bob))
        assert unchanged is not None
        assert unchanged.password_hash == OLD

    async def test_a_rehash_gives_way_to_a_change_of_password(self, world: World) -> None:
        ann = await world.person(password_hash=OLD)
        async with world.unit(ann) as uow:
            held = await uow.users.hold(user_of(ann))
            await uow.users.save(held.changed(password_hash=CHOSEN))
            rehash = await blocked(world.harness, world.once(ann).credentials.rehash(user_of(ann), OLD, NEW))
            await uow.commit()
        assert await released(world.harness, rehash) is False
        account = await world.reader().credentials.find_account(user_of(ann))
        assert account is not None
        assert account.password_hash == CHOSEN


@pytest.mark.spec("2.22")
class TokensContract(Contract):
    """Tokens: good once, until they expire or a newer one takes their place."""

    @pytest.mark.parametrize("purpose", Purpose)
    async def test_a_token_is_good_once(self, world: World, purpose: Purpose) -> None:
        ann = await world.person()
        at = world.harness.clock()
        token = await _issued(world, user_of(ann), purpose)
        kept = OneTimeToken(
            **dict(token), tenant_id=world.tenant.id, user_id=user_of(ann), created_at=at, updated_at=at
        )
        assert await _find(world, token) == kept
        async with world.unit() as uow:
            assert await uow.credentials.find_token(purpose, token.token_hash) == kept
        account = await world.reader().credentials.find_account(user_of(ann))
        world.harness.clock.advance()
        assert await _use(world, token) == account
        assert await _find(world, token) is None
        with pytest.raises(TokenNotValid):
            await _use(world, token)

    async def test_a_use_that_is_not_committed_has_not_been(self, world: World) -> None:
        ann = await world.person()
        token = await _issued(world, user_of(ann))
        async with world.unit() as uow:
            await uow.credentials.use(token.purpose, token.token_hash)
            with pytest.raises(TokenNotValid):
                await uow.credentials.use(token.purpose, token.token_hash)
        await _use(world, token)

    async def test_a_token_is_for_its_purpose_and_tenant_only(self, world: World) -> None:
        ann = await world.person()
        token = await _issued(world, user_of(ann))
        elsewhere = await World.new(world.harness)
        for where, purpose in ((world, Purpose.RESET_PASSWORD), (elsewhere, token.purpose)):
            other = token.changed(purpose=purpose)
            assert await _find(where, other) is None
            with pytest.raises(TokenNotValid):
                await _use(where, other)
        with pytest.raises(TokenNotValid):
            await _use(world, _token(world))
        await _use(world, token)

    async def test_a_token_expires(self, world: World) -> None:
        ann = await world.person()
        token = await _issued(world, user_of(ann), Purpose.VERIFY_EMAIL, 60)
        world.harness.clock.advance(59.999)
        assert await _find(world, token) is not None
        world.harness.clock.advance(0.001)
        assert await _find(world, token) is None
        with pytest.raises(TokenNotValid):
            await _use(world, token)

    async def test_a_newer_one_takes_the_place_of_its_purpose(self, world: World) -> None:
        ann, bob = await world.persons(2)
        other_purpose = await _issued(world, user_of(ann), Purpose.RESET_PASSWORD)
        of_bob = await _issued(world, user_of(bob))
        old = await _issued(world, user_of(ann))
        await _use(world, old)
        for _ in range(2):
            new = await _issued(world, user_of(ann))
            with pytest.raises(TokenNotValid):
                await _use(world, old)
            old = new
        for token in (old, other_purpose, of_bob):
            await _use(world, token)

    async def test_void_takes_the_named_purposes_of_one_user(self, world: World) -> None:
        ann, bob = await world.persons(2)
        tokens = {purpose: await _issued(world, user_of(ann), purpose) for purpose in Purpose}
        of_bob = await _issued(world, user_of(bob))
        elsewhere = await World.new(world.harness)
        for where, purposes in ((world, ()), (elsewhere, tuple(Purpose))):
            async with where.unit() as uow:
                await uow.credentials.void(user_of(ann), purposes)
                await uow.commit()
        async with world.unit() as uow:
            await uow.credentials.void(user_of(ann), (Purpose.RESET_PASSWORD, Purpose.VERIFY_EMAIL))
            await uow.credentials.void(UserId(builders.new_id()), tuple(Purpose))
            await uow.commit()
        for token in (tokens[Purpose.RESET_PASSWORD], tokens[Purpose.VERIFY_EMAIL]):
            with pytest.raises(TokenNotValid):
                await _use(world, token)
        await _use(world, tokens[Purpose.INVITATION])
        await _use(world, of_bob)

    async def test_a_token_needs_its_user(self, world: World) -> None:
        ann = await world.person()
        token = await _issued(world, user_of(ann))
        await world.change_account(ann, deleted_at=world.harness.clock())
        assert await _find(world, token) is None
        with pytest.raises(TokenNotValid):
            await _use(world, token)
        elsewhere = await (await World.new(world.harness)).person()
        for absent in (user_of(ann), user_of(elsewhere), UserId(builders.new_id())):
            with pytest.raises(UserNotFound):
                await _issued(world, absent)

    # ── by address ────────────────────────────────────────────────────────────────────────────────────────────────

    @forms
    async def test_a_token_for_an_address(self, world: World, form: Form) -> None:
        ann = await world.person(email="Ann@Example.org", account_status=AccountStatus.PENDING_VERIFICATION)
        old = await _issued(world, user_of(ann), Purpose.RESET_PASSWORD)
        token = _token(world, Purpose.RESET_PASSWORD)
        sent = await world.perform(
            form, world.system, lambda verbs: verbs.credentials.issue_by_email("\uff21NN@example.org", token)
        )
        assert sent == "Ann@Example.org"
        with pytest.raises(TokenNotValid):
            await _use(world, old)
        assert (await _use(world, token)).id == ann.user_id

    @forms
    async def test_for_an_address_nobody_can_use_nothing_is_written(self, world: World, form: Form) -> None:
        ann = await world.person(email="ann@example.org", username="bob@example.org")
        kept = await _issued(world, user_of(ann), Purpose.RESET_PASSWORD)
        token = _token(world, Purpose.RESET_PASSWORD)

        async def asked(email: str) -> str | None:
            return await world.perform(form, world.system, lambda v: v.credentials.issue_by_email(email, token))

        assert await asked("bob@example.org") is None, "a username is no address"
        assert await asked("nobody@example.org") is None
        for barred in (AccountStatus.SUSPENDED, AccountStatus.DEACTIVATED):
            await world.change_account(ann, account_status=barred)
            assert await asked("ann@example.org") is None
        with pytest.raises(TokenNotValid):
            await _use(world, token)
        await _use(world, kept)

    # ── at once ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def test_who_uses_it_second_waits_and_is_refused(self, world: World) -> None:
        ann = await world.person()
        token = await _issued(world, user_of(ann))
        async with world.unit() as uow:
            await uow.credentials.use(token.purpose, token.token_hash)
            second = await blocked(world.harness, _use(world, token))
            await uow.commit()
        with pytest.raises(TokenNotValid):
            await released(world.harness, second)

    async def test_who_uses_it_second_has_it_when_the_first_gives_up(self, world: World) -> None:
        ann = await world.person()
        token = await _issued(world, user_of(ann))
        async with world.unit() as uow:
            await uow.credentials.use(token.purpose, token.token_hash)
            second = await blocked(world.harness, _use(world, token))
        assert (await released(world.harness, second)).id == ann.user_id

    async def test_a_use_holds_the_account(self, world: World) -> None:
        ann = await world.person()
        token = await _issued(world, user_of(ann))
        async with world.unit() as uow:
            account = await uow.credentials.use(token.purpose, token.token_hash)
            other = await blocked(world.harness, world.change_account(ann, first_name="Ann"))
            await uow.users.save(account.changed(is_email_verified=True))
            await uow.commit()
        changed = await released(world.harness, other)
        assert (changed.first_name, changed.is_email_verified) == ("Ann", True)

    async def test_of_twenty_at_once_one_succeeds(self, world: World) -> None:
        ann = await world.person()
        token = await _issued(world, user_of(ann))
        used = await asyncio.gather(*(_use(world, token) for _ in range(20)), return_exceptions=True)
        assert sum(isinstance(result, Account) for result in used) == 1, used
        assert sum(isinstance(result, TokenNotValid) for result in used) == 19

    # ── sweeping ──────────────────────────────────────────────────────────────────────────────────────────────────

    @forms
    async def test_a_sweep_removes_what_has_expired_oldest_first(self, world: World, form: Form) -> None:
        people = await world.persons(4)
        for number, person in enumerate(people):
            await _issued(world, user_of(person), Purpose.INVITATION, 10 - number)
        used = await _issued(world, user_of(people[0]), Purpose.VERIFY_EMAIL, 5)
        await _use(world, used)
        good = await _issued(world, user_of(people[0]), Purpose.RESET_PASSWORD, 11)
        elsewhere = await World.new(world.harness)
        await _issued(elsewhere, user_of(await elsewhere.person()), Purpose.INVITATION, 1)
        assert await world.perform(form, world.system, lambda verbs: verbs.credentials.sweep_tokens(10)) == 0
        world.harness.clock.advance(8)
        sweeps = []
        for seconds in (0, 0, 0, 2, 0):
            world.harness.clock.advance(seconds)
            sweeps.append(await world.perform(form, world.system, lambda verbs: verbs.credentials.sweep_tokens(2)))
        assert sweeps == [2, 1, 0, 2, 0]
        await _use(world, good)
        assert await elsewhere.once().credentials.sweep_tokens(SWEEP_MAX) == 1

    async def test_a_sweep_passes_over_what_is_in_use(self, world: World) -> None:
        ann, bob = await world.persons(2)
        for person in (ann, bob):
            await _issued(world, user_of(person), Purpose.INVITATION, 1)
        world.harness.clock.advance(2)
        async with world.unit() as uow:
            await uow.credentials.void(user_of(ann), (Purpose.INVITATION,))
            assert await goes_through(world.harness, world.once().credentials.sweep_tokens(10)) == 1
        assert await world.once().credentials.sweep_tokens(10) == 1

    @forms
    @pytest.mark.parametrize("limit", [0, -1, SWEEP_MAX + 1, True, "5", None])
    async def test_how_much_a_sweep_may_take(self, world: World, form: Form, limit: Any) -> None:
        with pytest.raises(Invalid) as refused:
            await world.perform(form, world.system, lambda verbs: verbs.credentials.sweep_tokens(limit))
        assert refused.value.details["field"] == "limit"
