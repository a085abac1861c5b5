"""Accounts, profiles and status (SPEC 3.1)."""

from __future__ import annotations

from app.domain.actors import Actor
from app.domain.identity import (
    Account,
    AccountInactive,
    AccountStatus,
    OnlineStatus,
    Passwords,
    Profile,
    ProfileChange,
    Registration,
    User,
    UserSettings,
    UserStatus,
    require_registrable,
)
from app.domain.ids import Ids, UserId
from app.domain.unit_of_work import Store

from . import arguments
from .retrying import retrying


class IdentityService:
    """What a person does with accounts. Every method takes the actor first and stays within the actor's tenant."""

    def __init__(self, store: Store, ids: Ids, passwords: Passwords) -> None:
        self._store = store
        self._ids = ids
        self._passwords = passwords

    @retrying
    async def register(self, actor: Actor, registration: Registration) -> User:
        """Makes an account with default settings; the application may make staff and robots too.

        An account with an e-mail starts as pending-verification; one without has nothing to verify and is active.
        Raises `StaffOnly`, `EmailTaken`, `UsernameTaken`, `ExternalIdTaken`, `TenantNotFound`, and `Invalid` for a
        member without e-mail and password.
        """
        require_registrable(registration.account_type, by_application=actor.user_id is None)
        given = dict(registration)
        password = given.pop("password")
        password_hash = None if password is None else await self._passwords.hash(password)
        async with self._store.unit_of_work(actor) as uow:
            account = Account(
                **given,
                id=UserId(self._ids()),
                tenant_id=actor.tenant_id,
                account_status=AccountStatus.ACTIVE
                if registration.email is None
                else AccountStatus.PENDING_VERIFICATION,
                password_hash=password_hash,
                created_at=uow.now,
                updated_at=uow.now,
            )
            await uow.users.create(account)
            await uow.commit()
        return account.as_user()

    @retrying
    async def update_profile(self, actor: Actor, change: ProfileChange) -> User:
        """Sets fields of the acting person's own profile.

        Raises `Invalid` (also for the application, which has no profile), `UserNotFound`, `AccountInactive`,
        `UsernameTaken`.
        """
        own = arguments.person(actor)
        async with self._store.unit_of_work(actor) as uow:
            account = await uow.users.hold(own)
            if account.is_barred:
                raise AccountInactive(user_id=str(own))
            saved = await uow.users.save(change.applied_to(account))
            await uow.commit()
        return saved.as_user()

    @retrying
    async def update_online_status(self, actor: Actor, status: OnlineStatus | str) -> UserStatus:
        """Sets the acting person's status; last_seen_at becomes now. Raises `Invalid`, `UserNotFound`."""
        wanted = arguments.one_of(OnlineStatus, status, "status")
        return await self._store.once(actor).users.update_online_status(wanted)

    async def profile(self, actor: Actor, user_id: UserId | str) -> Profile:
        """A user with their status. Raises `UserNotFound`."""
        return await self._store.reader(actor).users.profile(arguments.user_id(user_id))

    async def settings(self, actor: Actor) -> UserSettings:
        """What the acting person prefers. Raises `Invalid` for the application, `UserNotFound`."""
        return await self._store.reader(actor).users.settings(arguments.person(actor))

    async def find_by_id(self, actor: Actor, user_id: UserId | str) -> User | None:
        """None for an unknown or deleted user."""
        return await self._store.reader(actor).users.find_by_id(arguments.user_id(user_id))

    async def find_by_email(self, actor: Actor, email: str) -> User | None:
        """Compared without regard to case and look-alike forms; None, too, for text that is no e-mail."""
        return await self._store.reader(actor).users.find_by_email(arguments.text(email, "email"))

    async def find_by_username(self, actor: Actor, username: str) -> User | None:
        """Compared without regard to case and look-alike forms."""
        return await self._store.reader(actor).users.find_by_username(arguments.text(username, "username"))

    async def find_by_external_id(self, actor: Actor, external_id: str) -> User | None:
        """Compared to the letter."""
        return await self._store.reader(actor).users.find_by_external_id(arguments.text(external_id, "external_id"))
