"""Proving who one is: logging in, passwords, e-mail addresses (SPEC 3.1, 7)."""

from __future__ import annotations

from contextlib import suppress

from pydantic import SecretStr

from app.domain.actors import Actor
from app.domain.credentials import (
    Authentication,
    IssuedToken,
    NewEmail,
    NewPassword,
    NothingToVerify,
    Passwords,
    Purpose,
    TokenNotValid,
    WrongCredentials,
    drawn,
    hash_of,
    with_email,
    with_password,
    with_verified_email,
)
from app.domain.errors import OutcomeUnknown, Unavailable
from app.domain.identity import PASSWORD_MAX, Account, User, UserNotFound
from app.domain.identity.standing import require_standing
from app.domain.ids import Ids
from app.domain.unit_of_work import Clock, Store

from . import arguments
from .retrying import retrying

SWEEP_LIMIT = 1_000


class CredentialService:
    """What stands behind a login form and the mails that go with it.

    Tokens are handed out once and kept as hashes; sending them is the application's. Sessions are another matter: an
    `Authentication` carries the epoch they are good for, and whatever should end them moves it on.
    """

    def __init__(self, store: Store, ids: Ids, clock: Clock, passwords: Passwords) -> None:
        self._store = store
        self._ids = ids
        self._clock = clock
        self._passwords = passwords

    async def authenticate(self, actor: Actor, login: str, password: SecretStr | str) -> Authentication:
        """Who has this e-mail or username, and this password.

        An unknown name, a wrong password and an account without one are the same `WrongCredentials` after the same
        time. `AccountInactive` for a suspended or deactivated account is told only to who has its password. A hash made
        by another algorithm or cost than today's is made anew. Raises `Invalid` for what is no text.
        """
        secret = arguments.secret(password, "password")
        account = await self._store.reader(actor).credentials.find_by_login(arguments.text(login, "login"))
        kept = None if account is None or _is_too_long(secret) else account.password_hash
        if not await self._passwords.verify(secret, kept) or account is None or kept is None:
            raise WrongCredentials
        require_standing(account)
        if self._passwords.needs_rehash(kept):
            await self._rehash(actor, account, kept, secret)
        return Authentication(account.as_user(), account.session_epoch)

    async def _rehash(self, actor: Actor, account: Account, kept: str, secret: SecretStr) -> None:
        made = await self._passwords.hash(secret)
        with suppress(Unavailable, OutcomeUnknown):  # the next login tries again: this one has succeeded
            await self._store.once(actor).credentials.rehash(account.id, kept, made)

    @retrying
    async def change_password(self, actor: Actor, old: SecretStr | str, new: SecretStr | str) -> User:
        """Sets the acting person's password, which ends their sessions and voids a password reset on its way.

        Raises `WrongCredentials` unless `old` is the password, `Invalid` for a new one that breaks the limits,
        `UserNotFound`, `AccountInactive`.
        """
        own, proof = arguments.person(actor), arguments.secret(old, "old")
        wanted = NewPassword(password=arguments.secret(new, "password")).password
        account = await self._store.reader(actor).credentials.find_account(own)
        if account is None:
            raise UserNotFound(user_id=str(own))
        require_standing(account)
        kept = None if _is_too_long(proof) else account.password_hash
        if not await self._passwords.verify(proof, kept):
            raise WrongCredentials
        made = await self._passwords.hash(wanted)
        async with self._store.unit_of_work(actor) as uow:
            held = await uow.users.hold(own)
            require_standing(held)
            if held.password_hash != account.password_hash:  # changed while this one was being hashed
                raise WrongCredentials
            saved = await uow.users.save(with_password(held, made))
            await uow.credentials.void(own, (Purpose.RESET_PASSWORD,))
            await uow.commit()
        return saved.as_user()

    @retrying
    async def request_password_reset(self, actor: Actor, email: str) -> IssuedToken:
        """A token to reset the password of the account with this address, in the place of an older one.

        Never tells whether the address is known: every answer looks the same, by one statement. For an address that no
        account has, or one that is barred, `send_to` is None and the token opens nothing. Answer the person alike.
        """
        token, kept = drawn(self._ids(), Purpose.RESET_PASSWORD, self._clock())
        address = await self._store.once(actor).credentials.issue_by_email(arguments.text(email, "email"), kept)
        return IssuedToken(token, kept.expires_at, address)

    @retrying
    async def reset_password(self, actor: Actor, token: SecretStr | str, new: SecretStr | str) -> User:
        """Sets the password of whoever the token was sent to, which ends their sessions; the token is used up.

        Raises `TokenNotValid`, `AccountInactive`, `Invalid`.
        """
        token_hash = hash_of(arguments.secret(token, "token").get_secret_value())
        wanted = NewPassword(password=arguments.secret(new, "password")).password
        # Looked at first: whoever has no token does not get the server to hash.
        if await self._store.reader(actor).credentials.find_token(Purpose.RESET_PASSWORD, token_hash) is None:
            raise TokenNotValid
        made = await self._passwords.hash(wanted)
        async with self._store.unit_of_work(actor) as uow:
            account = await uow.credentials.use(Purpose.RESET_PASSWORD, token_hash)
            require_standing(account)
            saved = await uow.users.save(with_password(account, made))
            await uow.commit()
        return saved.as_user()

    @retrying
    async def request_email_verification(self, actor: Actor) -> IssuedToken:
        """A token by which the acting person shows that their address is theirs, in the place of an older one.

        Raises `NothingToVerify`, `UserNotFound`, `AccountInactive`, `Invalid` for the application.
        """
        own = arguments.person(actor)
        token, kept = drawn(self._ids(), Purpose.VERIFY_EMAIL, self._clock())
        async with self._store.unit_of_work(actor) as uow:
            account = await uow.users.hold(own)
            require_standing(account)
            if account.email is None or account.is_email_verified:
                raise NothingToVerify(user_id=str(own))
            await uow.credentials.issue(own, kept)
            await uow.commit()
        return IssuedToken(token, kept.expires_at, account.email)

    @retrying
    async def confirm_email(self, actor: Actor, token: SecretStr | str) -> User:
        """Takes the address of whoever the token was sent to as verified; an account that waited for it is active.

        The token is the proof, whoever acts. Raises `TokenNotValid`, `AccountInactive`.
        """
        token_hash = hash_of(arguments.secret(token, "token").get_secret_value())
        async with self._store.unit_of_work(actor) as uow:
            account = await uow.credentials.use(Purpose.VERIFY_EMAIL, token_hash)
            require_standing(account)
            saved = await uow.users.save(with_verified_email(account))
            await uow.commit()
        return saved.as_user()

    @retrying
    async def change_email(self, actor: Actor, email: str) -> User:
        """Sets the acting person's address, which then is not verified; tokens sent to the old one are void.

        The very same address changes nothing. Raises `EmailTaken`, `UserNotFound`, `AccountInactive`, `Invalid`.
        """
        own, wanted = arguments.person(actor), NewEmail(email=email).email
        async with self._store.unit_of_work(actor) as uow:
            account = await uow.users.hold(own)
            require_standing(account)
            changed = with_email(account, wanted)
            if changed is account:
                return account.as_user()
            saved = await uow.users.save(changed)
            await uow.credentials.void(own, (Purpose.VERIFY_EMAIL, Purpose.RESET_PASSWORD))
            await uow.commit()
        return saved.as_user()

    @retrying
    async def sweep_tokens(self, actor: Actor, limit: int = SWEEP_LIMIT) -> int:
        """Removes up to `limit` expired tokens of the tenant; returns how many. Run it until it returns less.

        Raises `Invalid` for a person: this is the application's housekeeping.
        """
        arguments.application(actor)
        return await self._store.once(actor).credentials.sweep_tokens(limit)


def _is_too_long(password: SecretStr) -> bool:
    """A password nobody can have set is not worth the hashing, only the time of one."""
    return len(password) > PASSWORD_MAX
