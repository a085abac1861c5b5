"""Logging in, passwords and addresses, as a person meets them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from app.domain.actors import Actor
from app.domain.credentials import (
    Authentication,
    IssuedToken,
    NothingToVerify,
    TokenNotValid,
    WrongCredentials,
)
from app.domain.errors import Contended, Invalid
from app.domain.identity import (
    PASSWORD_MAX,
    Account,
    AccountInactive,
    AccountStatus,
    AccountType,
    EmailTaken,
    UserNotFound,
)
from app.domain.ids import UserId
from app.infrastructure.memory.credentials import MemoryCredentialWriter
from tests.services.world import PlainPasswords, World, id_of, registration

pytestmark = pytest.mark.spec("3.1")

RIGHT, OTHER = "correct horse", "battery staple"


async def account(world: World, actor: Actor) -> Account:
    async with world.chat.store.unit_of_work(world.system) as uow:
        return await uow.users.hold(id_of(actor))


async def change(world: World, actor: Actor, **fields: Any) -> None:
    async with world.chat.store.unit_of_work(world.system) as uow:
        await uow.users.save((await uow.users.hold(id_of(actor))).changed(**fields))
        await uow.commit()


async def logs_in(world: World, login: str, password: str = RIGHT) -> Authentication:
    return await world.chat.credentials.authenticate(world.system, login, password)


# ── logging in ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("login", ["ann", "ANN", "ann@example.org", "ａnn@EXAMPLE.org"])
async def test_a_person_logs_in_by_either_name(world: World, login: str) -> None:
    ann = await world.person("ann")
    proved = await world.chat.credentials.authenticate(world.system, login, SecretStr(RIGHT))
    assert proved == Authentication(await world.chat.identity.find_by_id(ann, id_of(ann)), 0)  # type: ignore[arg-type]  # she is there
    assert RIGHT not in repr(proved)


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("ann", OTHER),
        ("ann", ""),
        ("nobody", RIGHT),
        ("nobody@example.org", RIGHT),
        ("guest", ""),
        ("guest", "plain:"),
        ("\0", RIGHT),
        ("", RIGHT),
        ("\ud800", RIGHT),
        ("x" * 100_000, RIGHT),
        ("ann", "\0"),
        ("ann", "\ud800"),
        ("ann", RIGHT + "x" * PASSWORD_MAX),
    ],
)
async def test_everything_wrong_is_one_error_after_one_verification(
    world: World, monkeypatch: pytest.MonkeyPatch, login: str, password: str
) -> None:
    await world.person("ann")
    await world.person("guest", AccountType.GUEST)
    verified: list[bool] = []
    verify = PlainPasswords.verify

    async def counted(self: PlainPasswords, given: SecretStr, password_hash: str | None) -> bool:
        verified.append(password_hash is not None)
        return await verify(self, given, password_hash)

    monkeypatch.setattr(PlainPasswords, "verify", counted)
    with pytest.raises(WrongCredentials) as refused:
        await logs_in(world, login, password)
    assert len(verified) == 1, "whoever is asked for, the clock tells the same"
    assert (str(refused.value), refused.value.details) == (str(WrongCredentials()), {})


@pytest.mark.parametrize("barred", [AccountStatus.SUSPENDED, AccountStatus.DEACTIVATED])
async def test_only_who_has_the_password_learns_that_an_account_is_barred(world: World, barred: AccountStatus) -> None:
    ann = await world.person("ann")
    await change(world, ann, account_status=barred)
    with pytest.raises(WrongCredentials):
        await logs_in(world, "ann", OTHER)
    with pytest.raises(AccountInactive):
        await logs_in(world, "ann")


async def test_what_is_no_name_or_password_at_all(world: World) -> None:
    for login, password, field in ((None, RIGHT, "login"), ("ann", None, "password"), ("ann", 7, "password")):
        with pytest.raises(Invalid) as refused:
            await world.chat.credentials.authenticate(world.system, login, password)  # type: ignore[arg-type]  # wrong values are the point
        assert refused.value.details["field"] == field


async def test_a_hash_of_former_days_is_made_anew_at_the_next_login(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await world.person("ann")
    await change(world, ann, password_hash=f"former:{RIGHT}")
    verify = PlainPasswords.verify

    async def also_former(self: PlainPasswords, given: SecretStr, password_hash: str | None) -> bool:
        former = password_hash == f"former:{given.get_secret_value()}"
        return former or await verify(self, given, password_hash)

    monkeypatch.setattr(PlainPasswords, "verify", also_former)
    with pytest.raises(WrongCredentials):
        await logs_in(world, "ann", OTHER)
    assert (await account(world, ann)).password_hash == f"former:{RIGHT}"
    assert (await logs_in(world, "ann")).session_epoch == 0
    anew = await account(world, ann)
    assert (anew.password_hash, anew.session_epoch) == (f"plain:{RIGHT}", 0)

    async def contended(*args: object) -> bool:
        raise Contended

    await change(world, ann, password_hash=f"former:{RIGHT}")
    monkeypatch.setattr(MemoryCredentialWriter, "rehash", contended)
    await logs_in(world, "ann")  # it has the right password, whatever becomes of the hash
    assert (await account(world, ann)).password_hash == f"former:{RIGHT}"


# ── passwords ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_person_changes_their_password(world: World) -> None:
    ann = await world.person("ann")
    reset = await world.chat.credentials.request_password_reset(world.system, "ann@example.org")
    changed = await world.chat.credentials.change_password(ann, RIGHT, OTHER)
    assert changed == await world.chat.identity.find_by_id(ann, id_of(ann))
    assert (await logs_in(world, "ann", OTHER)).session_epoch == 1
    with pytest.raises(WrongCredentials):
        await logs_in(world, "ann", RIGHT)
    with pytest.raises(TokenNotValid):
        await world.chat.credentials.reset_password(world.system, reset.token, RIGHT)


async def test_whose_password_cannot_be_changed(world: World) -> None:
    ann = await world.person("ann")
    guest = await world.person("guest", AccountType.GUEST)
    change_password = world.chat.credentials.change_password
    for actor, old in ((ann, OTHER), (ann, RIGHT + "x" * PASSWORD_MAX), (guest, ""), (guest, RIGHT)):
        with pytest.raises(WrongCredentials):
            await change_password(actor, old, OTHER)
    for new in ("short", "x" * (PASSWORD_MAX + 1)):
        with pytest.raises(Invalid) as refused:
            await change_password(ann, RIGHT, new)
        assert refused.value.details["field"] == "password"
        assert new not in str(refused.value)
    with pytest.raises(Invalid, match="actor"):
        await change_password(world.system, RIGHT, OTHER)
    with pytest.raises(UserNotFound):
        await change_password(Actor(user_id=UserId(uuid4())), RIGHT, OTHER)
    await world.bar(ann)
    with pytest.raises(AccountInactive):
        await change_password(ann, RIGHT, OTHER)
    assert (await account(world, ann)).password_hash == f"plain:{RIGHT}"


async def test_of_two_changes_from_one_password_one_succeeds(world: World) -> None:
    ann = await world.person("ann")
    changes = (world.chat.credentials.change_password(ann, RIGHT, f"{OTHER} {n}") for n in range(5))
    results = await asyncio.gather(*changes, return_exceptions=True)
    assert sum(isinstance(result, WrongCredentials) for result in results) == 4, results
    assert (await account(world, ann)).session_epoch == 1


async def test_a_password_is_reset_by_what_was_sent_to_the_address(world: World) -> None:
    ann = await world.person("ann")
    issued = await world.chat.credentials.request_password_reset(world.system, "ANN@example.org")
    assert issued.send_to == "ann@example.org"
    assert issued.token.get_secret_value() not in repr(issued)
    assert issued.expires_at == world.clock() + timedelta(hours=1)
    await world.chat.credentials.reset_password(world.system, issued.token, OTHER)
    assert (await logs_in(world, "ann", OTHER)).session_epoch == 1
    for password in (OTHER, RIGHT):
        with pytest.raises(TokenNotValid):
            await world.chat.credentials.reset_password(world.system, issued.token, password)
    assert (await account(world, ann)).session_epoch == 1


async def test_a_request_does_not_tell_whether_the_address_is_known(world: World) -> None:
    ann = await world.person("ann")
    known = await world.chat.credentials.request_password_reset(world.system, "ann@example.org")
    for email in ("nobody@example.org", "no e-mail", "", "\0", "\ud800", "ann"):
        unknown = await world.chat.credentials.request_password_reset(world.system, email)
        assert isinstance(unknown, IssuedToken)
        assert unknown.send_to is None
        assert unknown.expires_at == known.expires_at
        assert len(unknown.token) == len(known.token)
        with pytest.raises(TokenNotValid):
            await world.chat.credentials.reset_password(world.system, unknown.token, OTHER)
    await world.bar(ann)
    assert (await world.chat.credentials.request_password_reset(world.system, "ann@example.org")).send_to is None
    with pytest.raises(AccountInactive):
        await world.chat.credentials.reset_password(world.system, known.token, OTHER)
    with pytest.raises(Invalid, match="email"):
        await world.chat.credentials.request_password_reset(world.system, None)  # type: ignore[arg-type]  # a wrong value is the point


async def test_a_reset_that_is_refused_leaves_the_token_good(world: World) -> None:
    await world.person("ann")
    issued = await world.chat.credentials.request_password_reset(world.system, "ann@example.org")
    with pytest.raises(Invalid, match="password"):
        await world.chat.credentials.reset_password(world.system, issued.token, "short")
    await world.chat.credentials.reset_password(world.system, issued.token.get_secret_value(), OTHER)
    await logs_in(world, "ann", OTHER)


async def test_who_has_no_token_gets_nothing_hashed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(self: PlainPasswords, password: SecretStr) -> str:
        pytest.fail("it hashed")

    monkeypatch.setattr(PlainPasswords, "hash", never)
    for token in ("", "x", "x" * 100_000, "\0", "\ud800"):
        with pytest.raises(TokenNotValid):
            await world.chat.credentials.reset_password(world.system, token, OTHER)
    with pytest.raises(Invalid, match="token: must be text"):
        await world.chat.credentials.reset_password(world.system, 7, OTHER)  # type: ignore[arg-type]  # a wrong value is the point


async def test_a_token_expires_and_is_swept(world: World) -> None:
    await world.person("ann")
    issued = await world.chat.credentials.request_password_reset(world.system, "ann@example.org")
    assert await world.chat.credentials.sweep_tokens(world.system) == 0
    world.clock.go_on(3600)
    with pytest.raises(TokenNotValid):
        await world.chat.credentials.reset_password(world.system, issued.token, OTHER)
    assert await world.chat.credentials.sweep_tokens(world.system, 5) == 1
    assert await world.chat.credentials.sweep_tokens(world.system) == 0
    with pytest.raises(Invalid, match="limit"):
        await world.chat.credentials.sweep_tokens(world.system, 0)
    with pytest.raises(Invalid, match="actor"):
        await world.chat.credentials.sweep_tokens(await world.person("bob"))


# ── addresses ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_address_is_verified_and_the_account_active(world: World) -> None:
    ann = await world.person("ann")
    issued = await world.chat.credentials.request_email_verification(ann)
    assert (issued.send_to, issued.expires_at) == ("ann@example.org", world.clock() + timedelta(days=1))
    user = await world.chat.credentials.confirm_email(world.system, issued.token)
    assert (user.is_email_verified, user.account_status) == (True, AccountStatus.ACTIVE)
    assert user == await world.chat.identity.find_by_id(ann, id_of(ann))
    with pytest.raises(TokenNotValid):
        await world.chat.credentials.confirm_email(ann, issued.token)
    with pytest.raises(NothingToVerify):
        await world.chat.credentials.request_email_verification(ann)


async def test_who_has_nothing_to_verify(world: World) -> None:
    guest = await world.person("guest", AccountType.GUEST)
    with pytest.raises(NothingToVerify):
        await world.chat.credentials.request_email_verification(guest)
    with pytest.raises(Invalid, match="actor"):
        await world.chat.credentials.request_email_verification(world.system)
    with pytest.raises(UserNotFound):
        await world.chat.credentials.request_email_verification(Actor(user_id=UserId(uuid4())))
    ann = await world.person("ann")
    issued = await world.chat.credentials.request_email_verification(ann)
    await world.bar(ann)
    with pytest.raises(AccountInactive):
        await world.chat.credentials.request_email_verification(ann)
    with pytest.raises(AccountInactive):
        await world.chat.credentials.confirm_email(world.system, issued.token)
    assert not (await account(world, ann)).is_email_verified


async def test_a_token_for_one_purpose_is_none_for_another(world: World) -> None:
    ann = await world.person("ann")
    verify = await world.chat.credentials.request_email_verification(ann)
    reset = await world.chat.credentials.request_password_reset(world.system, "ann@example.org")
    with pytest.raises(TokenNotValid):
        await world.chat.credentials.reset_password(world.system, verify.token, OTHER)
    with pytest.raises(TokenNotValid):
        await world.chat.credentials.confirm_email(world.system, reset.token)
    await world.chat.credentials.confirm_email(world.system, verify.token)
    await world.chat.credentials.reset_password(world.system, reset.token, OTHER)


async def test_another_address_is_not_verified_and_voids_what_was_sent_to_the_old_one(world: World) -> None:
    ann = await world.person("ann")
    first = await world.chat.credentials.request_email_verification(ann)
    await world.chat.credentials.confirm_email(ann, first.token)
    reset = await world.chat.credentials.request_password_reset(world.system, "ann@example.org")
    same = await world.chat.credentials.change_email(ann, "ann@example.org")
    assert same.is_email_verified
    moved = await world.chat.credentials.change_email(ann, "Ann@elsewhere.org")
    assert (moved.email, moved.is_email_verified, moved.account_status) == (
        "Ann@elsewhere.org",
        False,
        AccountStatus.ACTIVE,
    )
    with pytest.raises(TokenNotValid):
        await world.chat.credentials.reset_password(world.system, reset.token, OTHER)
    old = await world.chat.credentials.request_email_verification(ann)
    assert old.send_to == "Ann@elsewhere.org"
    await world.chat.credentials.change_email(ann, "ann@example.org")
    with pytest.raises(TokenNotValid):
        await world.chat.credentials.confirm_email(ann, old.token)
    assert await world.chat.identity.find_by_email(ann, "ann@elsewhere.org") is None


async def test_which_address_cannot_be_taken(world: World) -> None:
    ann, _ = await world.persons("ann", "bob")
    with pytest.raises(EmailTaken):
        await world.chat.credentials.change_email(ann, "ｂob@example.org")
    for wrong in ("ann", "", "a\0@b.c", None):
        with pytest.raises(Invalid, match="email"):
            await world.chat.credentials.change_email(ann, wrong)  # type: ignore[arg-type]  # wrong values are the point
    with pytest.raises(Invalid, match="actor"):
        await world.chat.credentials.change_email(world.system, "x@example.org")
    await world.bar(ann)
    with pytest.raises(AccountInactive):
        await world.chat.credentials.change_email(ann, "x@example.org")


async def test_who_registers_without_a_password_gets_one_by_mail(world: World) -> None:
    external = registration("ann").changed(password=None, external_id="sso|1")
    ann = Actor(user_id=(await world.chat.identity.register(world.system, external)).id)
    with pytest.raises(WrongCredentials):
        await logs_in(world, "ann", "")
    issued = await world.chat.credentials.request_password_reset(world.system, "ann@example.org")
    await world.chat.credentials.reset_password(world.system, issued.token, OTHER)
    await logs_in(world, "ann", OTHER)
    assert (await world.chat.identity.unlink_external_id(ann, id_of(ann))).external_id is None
