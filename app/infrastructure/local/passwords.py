"""Passwords hashed by bcrypt or argon2id, beside the event loop."""

from __future__ import annotations

import asyncio
import re
import secrets
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import sha256
from typing import Any, Literal, Protocol, TypeVar

import bcrypt
from pydantic import SecretStr

from app.domain.credentials import Passwords
from app.domain.errors import Misuse

T = TypeVar("T")
Algorithm = Literal["bcrypt", "argon2id"]

ROUNDS_MIN = 10
ROUNDS_MAX = 31
BCRYPT_MAX_BYTES = 72
"""What bcrypt looks at; bcrypt 5 refuses more, older ones cut it off."""
ARGON2_PASSES = 3
ARGON2_KIBIBYTES = 65_536
ARGON2_LANES = 1
"""RFC 9106's choice for little memory, on one lane: how many hash at a time is the threads' matter."""

_BCRYPT = re.compile(r"\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}", re.ASCII)
_ARGON2 = "$argon2"
_ARGON2_NOW = f"$argon2id$v=19$m={ARGON2_KIBIBYTES},t={ARGON2_PASSES},p={ARGON2_LANES}$"


class Scheme(Protocol):
    """One way to hash."""

    def hash(self, secret: bytes) -> str: ...

    def is_current(self, password_hash: str) -> bool:
        """Whether this very scheme, at this cost, made the hash."""
        ...


class Bcrypt(Scheme):
    """A password of at most 72 bytes in UTF-8 is hashed as it is, so hashes made elsewhere by plain bcrypt verify. A
    longer one, or one with a NUL (at which other bcrypts stop reading), is hashed as base64(sha256(its UTF-8)): 44
    bytes without NUL. The rule never changes: stored hashes depend on it."""

    def __init__(self, rounds: int) -> None:
        if not ROUNDS_MIN <= rounds <= ROUNDS_MAX:
            raise ValueError(f"rounds must be from {ROUNDS_MIN} to {ROUNDS_MAX}")
        self._rounds = rounds

    def hash(self, secret: bytes) -> str:
        return bcrypt.hashpw(_for_bcrypt(secret), bcrypt.gensalt(self._rounds)).decode("ascii")

    def is_current(self, password_hash: str) -> bool:
        made = _BCRYPT.fullmatch(password_hash)
        return made is not None and int(made.group(1)) == self._rounds


class Argon2(Scheme):
    """argon2id, of the extra `argon2`; takes passwords of any length as they are. Raises `Misuse` without the extra."""

    def __init__(self) -> None:
        argon2 = _argon2()
        self._hasher = argon2.PasswordHasher(
            time_cost=ARGON2_PASSES, memory_cost=ARGON2_KIBIBYTES, parallelism=ARGON2_LANES
        )

    def hash(self, secret: bytes) -> str:
        return str(self._hasher.hash(secret))

    def is_current(self, password_hash: str) -> bool:
        return password_hash.startswith(_ARGON2_NOW)


class ThreadedPasswords(Passwords):
    """Hashes in threads of its own, so that a storm of logins neither stops the event loop nor takes every core.

    `algorithm` makes new hashes; those of the other still verify. Lone surrogates are encoded as they stand
    (``surrogatepass``). Whoever is cancelled while waiting leaves the queue; what has begun runs to its end unseen.
    """

    def __init__(self, rounds: int = 12, at_once: int = 2, algorithm: Algorithm = "bcrypt") -> None:
        """`rounds` is bcrypt's cost, each one more doubles the time; `at_once` is how many hashes run at a time."""
        bcrypt_scheme = Bcrypt(rounds)  # judged even when argon2id is chosen: the setting is wrong either way
        self._scheme: Scheme = Argon2() if algorithm == "argon2id" else bcrypt_scheme
        # The executor is the cap: unlike a semaphore it belongs to no event loop.
        self._threads = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="chatcore-passwords")
        self._nobodys: str | None = None

    async def hash(self, password: SecretStr) -> str:
        secret = _bytes(password)
        return await self._beside(lambda: self._scheme.hash(secret))

    async def verify(self, password: SecretStr, password_hash: str | None) -> bool:
        secret = _bytes(password)
        return await self._beside(lambda: self._verify(secret, password_hash))

    def needs_rehash(self, password_hash: str) -> bool:
        return not self._scheme.is_current(password_hash)

    def close(self) -> None:
        """Ends the threads once what runs is done; what waits is cancelled."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _beside(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _verify(self, secret: bytes, password_hash: str | None) -> bool:
        nobodys = self._hash_of_nobody()  # first, so that its making tells nothing about whose password is asked for
        found = None if password_hash is None else _made_from(secret, password_hash)
        if found is None:  # nobody's hash, or text that is none: one of today's cost is compared, for the time it takes
            _made_from(secret, nobodys)
        return bool(found)

    def _hash_of_nobody(self) -> str:
        if self._nobodys is None:  # two threads may both make it: either will do
            self._nobodys = self._scheme.hash(secrets.token_bytes(16))
        return self._nobodys


def _bytes(password: SecretStr) -> bytes:
    return password.get_secret_value().encode("utf-8", "surrogatepass")


def _for_bcrypt(secret: bytes) -> bytes:
    """The bytes bcrypt is given for a password: at most 72, without NUL."""
    if len(secret) > BCRYPT_MAX_BYTES or b"\0" in secret:
        return b64encode(sha256(secret).digest())
    return secret


def _made_from(secret: bytes, password_hash: str) -> bool | None:
    """Whether the hash was made from this password; None for text that is no hash at all."""
    if password_hash.startswith(_ARGON2):
        return _made_by_argon2(secret, password_hash)
    try:
        return bcrypt.checkpw(_for_bcrypt(secret), password_hash.encode("ascii"))
    except ValueError:
        return None


def _made_by_argon2(secret: bytes, password_hash: str) -> bool | None:
    argon2 = _argon2()
    try:
        return bool(argon2.PasswordHasher().verify(password_hash, secret))
    except argon2.exceptions.VerifyMismatchError:
        return False
    except (argon2.exceptions.InvalidHashError, argon2.exceptions.VerificationError, ValueError):
        return None


@cache
def _argon2() -> Any:  # the module
    """The library, imported when the first hash of its kind is met: it is an extra."""
    try:
        import argon2  # noqa: PLC0415 - see above
    except ImportError as error:
        raise Misuse("hashes by argon2id need the extra `argon2`: pip install 'chatcore[argon2]'") from error
    return argon2
