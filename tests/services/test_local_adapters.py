"""The adapters that need no server: clock, ids, passwords."""

from __future__ import annotations

import asyncio
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import bcrypt
import pytest
from pydantic import SecretStr

from app.domain.ids import first_at, made_at, moment_of
from app.infrastructure.local import ids as local_ids
from app.infrastructure.local.clock import SystemClock
from app.infrastructure.local.ids import TimeOrderedIds
from app.infrastructure.local.passwords import ThreadedPasswords


@pytest.mark.spec("1.2")
def test_the_clock_tells_aware_utc() -> None:
    moment = SystemClock()()
    assert moment.tzinfo is UTC
    assert abs(moment - datetime.now(UTC)) < timedelta(seconds=5)


# ── ids ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.spec("1.1")
def test_ids_are_uuid7_of_now_and_rise() -> None:
    make = TimeOrderedIds()
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    made = [make() for _ in range(10_000)]
    assert all(type(value) is UUID and value.version == 7 for value in made)
    assert made == sorted(set(made))
    assert before <= moment_of(made[0]) <= moment_of(made[-1]) <= datetime.now(UTC) + timedelta(seconds=1)


def test_ids_rise_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    told = iter([made_at(noon, 5), made_at(noon, 5), first_at(noon - timedelta(hours=1)), made_at(noon, 9)])
    monkeypatch.setattr(local_ids, "uuid7", lambda: next(told))
    make = TimeOrderedIds()
    assert [make() for _ in range(4)] == [made_at(noon, n) for n in (5, 6, 7, 9)]


def test_ids_rise_across_threads() -> None:
    make = TimeOrderedIds()
    with ThreadPoolExecutor(8) as threads:
        runs = list(threads.map(lambda _: [make() for _ in range(2_000)], range(8)))
    assert all(run == sorted(run) for run in runs)
    assert len({value for run in runs for value in run}) == 16_000


# ── passwords ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def passwords() -> Iterator[ThreadedPasswords]:
    made = ThreadedPasswords(rounds=10, at_once=2)
    yield made
    made.close()


LONG = "correct horse battery staple " * 5


@pytest.mark.parametrize("password", ["correct horse", "x" * 72, "x" * 73, LONG, "pä" * 30, "a\0b", "\ud800 odd"])
async def test_a_password_verifies_and_a_near_one_does_not(passwords: ThreadedPasswords, password: str) -> None:
    made = await passwords.hash(SecretStr(password))
    assert len(made) <= 255
    assert made.startswith("$2b$10$")
    assert await passwords.verify(SecretStr(password), made)
    assert not await passwords.verify(SecretStr(password + "x"), made)
    assert not await passwords.verify(SecretStr(password[:-1]), made)


async def test_the_same_password_hashes_differently_each_time(passwords: ThreadedPasswords) -> None:
    assert await passwords.hash(SecretStr("correct horse")) != await passwords.hash(SecretStr("correct horse"))


@pytest.mark.parametrize(
    ("password", "given_to_bcrypt"),
    [
        ("correct horse", b"correct horse"),
        ("ä" * 36, "ä".encode() * 36),  # 72 bytes
        ("ä" * 37, b64encode(sha256("ä".encode() * 37).digest())),
        ("a\0b", b64encode(sha256(b"a\0b").digest())),
    ],
)
async def test_the_documented_rule(passwords: ThreadedPasswords, password: str, given_to_bcrypt: bytes) -> None:
    """Hashes of plain bcrypt verify, and those stored once verify for ever: this rule never changes."""
    elsewhere = bcrypt.hashpw(given_to_bcrypt, bcrypt.gensalt(4)).decode()
    assert await passwords.verify(SecretStr(password), elsewhere)


@pytest.mark.parametrize(
    "malformed", ["", "x", "$2b$10$", "$2b$99$" + "a" * 53, "$2b$10$" + "!" * 53, "a\0b", "é", "\ud800", "plain:secret"]
)
async def test_a_malformed_hash_was_made_from_no_password(passwords: ThreadedPasswords, malformed: str) -> None:
    assert await passwords.verify(SecretStr("correct horse"), malformed) is False
    assert await passwords.verify(SecretStr(LONG), malformed) is False


async def test_hashing_leaves_the_event_loop_free_and_takes_no_more_than_its_share(
    passwords: ThreadedPasswords, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most, guard = 0, 0, threading.Lock()

    def slow(secret: bytes, salt: bytes) -> bytes:
        nonlocal running, most
        with guard:
            running, most = running + 1, max(most, running + 1)
        time.sleep(0.05)
        with guard:
            running -= 1
        return b"$2b$"

    monkeypatch.setattr(bcrypt, "hashpw", slow)
    began = time.monotonic()
    hashing = [asyncio.create_task(passwords.hash(SecretStr("correct horse"))) for _ in range(6)]
    await asyncio.sleep(0)
    assert time.monotonic() - began < 0.04  # the loop went on at once
    await asyncio.gather(*hashing)
    assert most == 2


def test_hashing_works_on_one_loop_after_another(passwords: ThreadedPasswords) -> None:
    secret = SecretStr("correct horse")
    made = asyncio.run(passwords.hash(secret))
    assert asyncio.run(passwords.verify(secret, made))


@pytest.mark.parametrize("rounds", [9, 0, 32])
def test_too_little_work_is_refused(rounds: int) -> None:
    with pytest.raises(ValueError, match="rounds"):
        ThreadedPasswords(rounds=rounds)
