"""The adapters that need no server: clock, ids, passwords."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import get_args
from uuid import UUID

import bcrypt
import pytest
from argon2 import PasswordHasher, Type
from pydantic import SecretStr

from app.domain.errors import Misuse
from app.domain.ids import first_at, made_at, moment_of
from app.infrastructure.local import ids as local_ids
from app.infrastructure.local import passwords as local_passwords
from app.infrastructure.local.clock import SystemClock
from app.infrastructure.local.ids import TimeOrderedIds
from app.infrastructure.local.passwords import Algorithm, ThreadedPasswords


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
    for algorithm in get_args(Algorithm):
        with pytest.raises(ValueError, match="rounds"):
            ThreadedPasswords(rounds=rounds, algorithm=algorithm)


# ── two algorithms ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def argon2_passwords() -> Iterator[ThreadedPasswords]:
    made = ThreadedPasswords(rounds=10, algorithm="argon2id")
    yield made
    made.close()


@pytest.mark.spec("7")
@pytest.mark.parametrize("password", ["correct horse", LONG, "pä" * 40, "a\0b", "\ud800 odd"])
async def test_each_algorithm_verifies_what_the_other_has_made(
    passwords: ThreadedPasswords, argon2_passwords: ThreadedPasswords, password: str
) -> None:
    made = [await passwords.hash(SecretStr(password)), await argon2_passwords.hash(SecretStr(password))]
    assert made[0].startswith("$2b$10$")
    assert made[1].startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert len(made[1]) <= 255
    for password_hash, other in zip(made, (argon2_passwords, passwords), strict=True):
        assert await other.verify(SecretStr(password), password_hash)
        for near in (password + "\0", password[:-1]):
            assert not await other.verify(SecretStr(near), password_hash)


OLDER_BCRYPT = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
OTHER_ARGON2 = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("correct horse")
ARGON2_I = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1, type=Type.I).hash("correct horse")


@pytest.mark.spec("7")
@pytest.mark.parametrize("former", [OLDER_BCRYPT, OTHER_ARGON2, ARGON2_I], ids=["bcrypt", "argon2id", "argon2i"])
async def test_former_hashes_verify_and_are_to_be_made_anew(
    passwords: ThreadedPasswords, argon2_passwords: ThreadedPasswords, former: str
) -> None:
    for either in (passwords, argon2_passwords):
        assert await either.verify(SecretStr("correct horse"), former)
        assert not await either.verify(SecretStr("correct mule"), former)
        assert either.needs_rehash(former)


async def test_what_was_made_today_is_not_to_be_made_anew(
    passwords: ThreadedPasswords, argon2_passwords: ThreadedPasswords
) -> None:
    by_bcrypt = await passwords.hash(SecretStr("correct horse"))
    by_argon2 = await argon2_passwords.hash(SecretStr("correct horse"))
    dearer = ThreadedPasswords(rounds=11)
    assert not passwords.needs_rehash(by_bcrypt)
    assert not argon2_passwords.needs_rehash(by_argon2)
    assert passwords.needs_rehash(by_argon2)
    assert argon2_passwords.needs_rehash(by_bcrypt)
    assert dearer.needs_rehash(by_bcrypt)
    dearer.close()


@pytest.mark.parametrize(
    "malformed", ["", "$2b$10$", "$2b$10$" + "!" * 53, "$argon2id$", "$argon2id$v=19$m=1$x$y", "é"]
)
async def test_a_malformed_hash_is_to_be_made_anew(
    passwords: ThreadedPasswords, argon2_passwords: ThreadedPasswords, malformed: str
) -> None:
    for either in (passwords, argon2_passwords):
        assert either.needs_rehash(malformed)
        assert await either.verify(SecretStr("correct horse"), malformed) is False


@pytest.mark.spec("7")
@pytest.mark.parametrize("nobodys", [None, "no hash", "$argon2id$", "$2b$10$"])
async def test_nobodys_password_takes_as_much_work_as_somebodys(
    passwords: ThreadedPasswords, monkeypatch: pytest.MonkeyPatch, nobodys: str | None
) -> None:
    """Counted, not timed: one whole comparison with a hash of today's cost."""
    await passwords.verify(SecretStr("correct horse"), OLDER_BCRYPT)  # from now on there is a hash of nobody's
    monkeypatch.setattr(bcrypt, "hashpw", None)
    compared: list[bytes] = []
    checkpw = bcrypt.checkpw

    def counted(secret: bytes, made: bytes) -> bool:
        found = checkpw(secret, made)
        compared.append(made)
        return found

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    for password in ("correct horse", LONG, ""):
        assert await passwords.verify(SecretStr(password), nobodys) is False
    assert [made[:7] for made in compared] == [b"$2b$10$"] * 3


async def test_a_cancelled_hash_leaves_its_place_in_the_queue(
    passwords: ThreadedPasswords, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()
    hashed: list[bytes] = []

    def waiting(secret: bytes, salt: bytes) -> bytes:
        begun.release()
        go_on.wait(5)
        hashed.append(secret)
        return b"$2b$"

    monkeypatch.setattr(bcrypt, "hashpw", waiting)
    hashing = [asyncio.create_task(passwords.hash(SecretStr(f"password {n}"))) for n in range(4)]
    for _ in range(2):
        assert await asyncio.to_thread(begun.acquire, timeout=5)
    for task in (hashing[0], hashing[2]):  # one that runs, one that waits
        task.cancel()
    cancelled = await asyncio.gather(hashing[0], hashing[2], return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in cancelled)
    go_on.set()
    assert [await hashing[1], await hashing[3]] == ["$2b$", "$2b$"]
    assert await passwords.hash(SecretStr("password 4")) == "$2b$", "both threads are free again"
    assert b"password 2" not in hashed


async def test_without_the_extra_argon2_is_refused_plainly(
    passwords: ThreadedPasswords, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_passwords._argon2.cache_clear()
    monkeypatch.setitem(sys.modules, "argon2", None)
    with pytest.raises(Misuse, match=r"chatcore\[argon2\]"):
        ThreadedPasswords(algorithm="argon2id")
    with pytest.raises(Misuse, match="argon2"):
        await passwords.verify(SecretStr("correct horse"), OTHER_ARGON2)
    assert passwords.needs_rehash(OTHER_ARGON2)
