"""Names, tokens, passwords, settings and blocks under a race (SPEC 1.6, 2.22, 3.1)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from app.domain.actors import Actor
from app.domain.blocks import Blocked, UserBlock
from app.domain.credentials import TokenNotValid, WrongCredentials
from app.domain.errors import StaleVersion
from app.domain.identity import AccountStatus, Registration, SettingsChange, User, UsernameTaken, UserSettings
from app.domain.messaging import Draft, Sent
from app.testing import builders
from tests.races.conftest import Arena, together, user_of

pytestmark = pytest.mark.postgres

PASSWORD = "correct horse"
LOOK_ALIKES = (
    *("{}strasse", "{}STRASSE", "{}straße", "{}\uff53trasse", "{}s\u200btrasse", "{}stras\u017fe"),
    *("{}stra\u00adsse", "{}strasse\U000e0100", "{}\U0001d42ctrasse", " {}strasse"),
)
"""One name in ten ways, to the eye and to the key."""


async def _person(arena: Arena) -> tuple[Actor, User]:
    name = builders.unique("racer")
    registration = Registration(username=name, email=f"{name}@example.org", password=SecretStr(PASSWORD))
    user = await arena.chat.identity.register(Actor.system(), registration)
    return Actor(user_id=user.id), user


@pytest.mark.spec("1.6")
async def test_of_ten_who_register_look_alike_names_one_has_it(arena: Arena) -> None:
    for _ in range(3):
        own = builders.unique("look")
        wanted = [
            Registration(
                username=form.format(own), email=f"{builders.unique('m')}@example.org", password=SecretStr("x" * 9)
            )
            for form in LOOK_ALIKES
        ]
        people = await together([arena.chat.identity.register(Actor.system(), one) for one in wanted])
        assert sum(isinstance(person, User) for person in people) == 1, people
        assert sum(isinstance(person, UsernameTaken) for person in people) == 9
        kept = await arena.watcher.fetchval("SELECT count(*) FROM users WHERE username_key = $1", f"{own}strasse")
        assert kept == 1


@pytest.mark.spec("2.22")
async def test_a_token_used_twenty_times_at_once_is_used_once(arena: Arena) -> None:
    ann, user = await _person(arena)
    assert user.email is not None
    reset = await arena.chat.credentials.request_password_reset(Actor.system(), user.email)
    verify = await arena.chat.credentials.request_email_verification(ann)
    changed = await together(
        [arena.chat.credentials.reset_password(Actor.system(), reset.token, f"password {n}") for n in range(20)]
    )
    assert sum(isinstance(result, User) for result in changed) == 1, changed
    assert sum(isinstance(result, TokenNotValid) for result in changed) == 19
    verified = await together([arena.chat.credentials.confirm_email(Actor.system(), verify.token) for _ in range(20)])
    assert sum(isinstance(result, User) for result in verified) == 1, verified
    assert sum(isinstance(result, TokenNotValid) for result in verified) == 19
    row = await arena.watcher.fetchrow(
        "SELECT session_epoch, is_email_verified, account_status FROM users WHERE id = $1", user.id
    )
    assert row is not None
    assert tuple(row) == (1, True, "active")


@pytest.mark.spec("2.22")
async def test_tokens_asked_for_at_once_leave_one_that_is_good(arena: Arena) -> None:
    _, user = await _person(arena)
    assert user.email is not None
    issued = await together(
        [arena.chat.credentials.request_password_reset(Actor.system(), user.email) for _ in range(10)]
    )
    used = [
        await together([arena.chat.credentials.reset_password(Actor.system(), one.token, "another one")])
        for one in issued
    ]
    assert sum(isinstance(result, User) for (result,) in used) == 1, used


@pytest.mark.spec("3.1")
async def test_of_many_changes_of_a_password_one_stands_and_no_login_brings_the_old_one_back(arena: Arena) -> None:
    """The old hash is of another kind, so every login that still finds it wants to make it anew."""
    ann, user = await _person(arena)
    former = f"former:{PASSWORD}"
    await arena.watcher.execute("UPDATE users SET password_hash = $1 WHERE id = $2", former, user.id)
    store = arena.chat.store

    async def change() -> Any:
        async with store.unit_of_work(ann) as uow:
            held = await uow.users.hold(user.id)
            await uow.users.save(held.changed(password_hash="plain:chosen", session_epoch=1))  # noqa: S106 - a test's
            await uow.commit()

    rehashes = [store.once(ann).credentials.rehash(user.id, former, f"plain:{PASSWORD}") for _ in range(10)]
    await together([*rehashes[:5], change(), *rehashes[5:]])
    assert await arena.watcher.fetchval("SELECT password_hash FROM users WHERE id = $1", user.id) == "plain:chosen"
    changes = await together([arena.chat.credentials.change_password(ann, "chosen", f"chosen {n}") for n in range(10)])
    assert sum(isinstance(result, User) for result in changes) == 1, changes
    assert sum(isinstance(result, WrongCredentials) for result in changes) == 9
    assert await arena.watcher.fetchval("SELECT session_epoch FROM users WHERE id = $1", user.id) == 2


@pytest.mark.spec("3.1")
async def test_who_is_suspended_and_deactivated_at_once_has_each_epoch_counted(arena: Arena) -> None:
    _, user = await _person(arena)
    system = Actor.system()
    await together(
        [
            *(arena.chat.identity.suspend(system, user.id) for _ in range(5)),
            *(arena.chat.identity.deactivate(system, user.id) for _ in range(5)),
        ]
    )
    row = await arena.watcher.fetchrow("SELECT account_status, session_epoch FROM users WHERE id = $1", user.id)
    assert row is not None
    kept = await arena.watcher.fetch("SELECT session_epoch FROM users_history WHERE id = $1 ORDER BY 1", user.id)
    assert row["account_status"] in (AccountStatus.SUSPENDED, AccountStatus.DEACTIVATED)
    assert [epoch for (epoch,) in kept] == list(range(row["session_epoch"])), "no change was lost, none came twice"


@pytest.mark.spec("2.2")
async def test_of_many_changes_to_one_version_of_settings_one_is_stored_and_its_old_row_kept(arena: Arena) -> None:
    ann, user = await _person(arena)
    changes = await together(
        [arena.chat.identity.update_settings(ann, SettingsChange(theme=f"theme {n}"), 1) for n in range(10)]
    )
    assert [made.version for made in changes if isinstance(made, UserSettings)] == [2], changes
    assert sum(isinstance(result, StaleVersion) for result in changes) == 9
    kept = await arena.watcher.fetch(
        "SELECT theme, version, changed_by FROM user_settings_history WHERE user_id = $1", user.id
    )
    assert [tuple(row) for row in kept] == [("light", 1, user.id)]


@pytest.mark.spec("2.20")
async def test_blocks_and_unblocks_at_once_leave_one_row_or_none(arena: Arena) -> None:
    ann, bob = await arena.people(2)
    blocks = await together([arena.chat.blocks.block(ann, user_of(bob)) for _ in range(10)])
    assert len({block.created_at for block in blocks if isinstance(block, UserBlock)}) == 1, blocks
    freed = await together([arena.chat.blocks.unblock(ann, user_of(bob)) for _ in range(10)])
    assert sum(result is True for result in freed) == 1, freed
    assert sum(result is False for result in freed) == 9


@pytest.mark.spec("2.20")
async def test_a_block_made_while_a_send_waits_counts(arena: Arena) -> None:
    ann, bob = await arena.people(2)
    room = await arena.chat.rooms.open_direct(ann, user_of(bob))
    async with arena.chat.store.unit_of_work(Actor.system()) as uow:
        await uow.rooms.hold(room.id, user_of(ann))
        waiting = asyncio.create_task(together([arena.chat.messages.send(bob, room.id, Draft(content="hello"))]))
        await arena.waiting()
        await arena.chat.blocks.block(ann, user_of(bob))
    (result,) = await waiting
    assert isinstance(result, Blocked)
    await arena.chat.blocks.unblock(ann, user_of(bob))
    assert isinstance(await arena.chat.messages.send(bob, room.id, Draft(content="hello")), Sent)
    await arena.prove(room.id)
