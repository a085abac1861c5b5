"""Passwords hashed by bcrypt, beside the event loop."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import bcrypt
from pydantic import SecretStr

from app.domain.identity import Passwords

ROUNDS_MIN = 10
ROUNDS_MAX = 31
BCRYPT_MAX_BYTES = 72
"""What bcrypt looks at; bcrypt 5 refuses more, older ones cut it off."""


class BcryptPasswords(Passwords):
    """bcrypt in threads of its own, so that a storm of logins neither stops the event loop nor takes every core.

    A password of at most 72 bytes in UTF-8 is hashed as it is, so hashes made elsewhere by plain bcrypt verify. A
    longer one, or one with a NUL (at which other bcrypts stop reading), is hashed as base64(sha256(its UTF-8)): 44
    bytes without NUL. Lone surrogates are encoded as they stand (``surrogatepass``). The rule never changes: stored
    hashes depend on it.
    """

    def __init__(self, rounds: int = 12, at_once: int = 2) -> None:
        """`rounds` is bcrypt's cost, each one more doubles the time; `at_once` is how many hashes run at a time."""
        if not ROUNDS_MIN <= rounds <= ROUNDS_MAX:
            raise ValueError(f"rounds must be from {ROUNDS_MIN} to {ROUNDS_MAX}")
        self._rounds = rounds
        # The executor is the cap: unlike a semaphore it belongs to no event loop.
        self._threads = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="chatcore-bcrypt")

    async def hash(self, password: SecretStr) -> str:
        secret = _readable(password)
        made = await asyncio.get_running_loop().run_in_executor(self._threads, self._hash, secret)
        return made.decode("ascii")

    async def verify(self, password: SecretStr, password_hash: str) -> bool:
        secret = _readable(password)
        return await asyncio.get_running_loop().run_in_executor(self._threads, _verify, secret, password_hash)

    def close(self) -> None:
        """Ends the threads once what runs is done; what waits is cancelled."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _hash(self, secret: bytes) -> bytes:
        return bcrypt.hashpw(secret, bcrypt.gensalt(self._rounds))


def _readable(password: SecretStr) -> bytes:
    """The bytes bcrypt is given for a password: at most 72, without NUL."""
    secret = password.get_secret_value().encode("utf-8", "surrogatepass")
    if len(secret) > BCRYPT_MAX_BYTES or b"\0" in secret:
        return b64encode(sha256(secret).digest())
    return secret


def _verify(secret: bytes, password_hash: str) -> bool:
    try:
        return bcrypt.checkpw(secret, password_hash.encode("ascii"))
    except ValueError:  # not a bcrypt hash at all, or not ASCII: no password made it
        return False
