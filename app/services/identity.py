"""Accounts, profiles, settings and status (SPEC 3.1). Passwords and e-mail addresses are in `credentials`."""

from __future__ import annotations

from collections.abc import Callable

from app.domain.actors import Actor
from app.domain.credentials import Passwords
from app.domain.identity import (
    Account,
    AccountStatus,
    CustomStatus,
    OnlineStatus,
    Profile,
    ProfileChange,
    Registration,
    SettingsChange,
    User,
    UserSettings,
    UserStatus,
    require_registrable,
)
from app.domain.identity.standing import (
    ExternalLink,
    barred,
    linked,
    reactivated,
    require_over,
    require_standing,
    unlinked,
)
from app.domain.ids import Ids, UserId
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.unit_of_work import Store, UnitOfWork
from app.domain.values import Moment

from . import arguments
from .acting import acting
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
        Raises `StaffOnly`, `EmailTaken`, `UsernameTaken`, `ExternalIdTaken`, `TenantNotFound`, `Invalid` for a member
        without e-mail and password, and `AccountInactive` for a barred person who registers another.
        """
        require_registrable(registration.account_type, by_application=actor.user_id is None)
        given = dict(registration)
        password = given.pop("password")
        password_hash = None if password is None else await self._passwords.hash(password)
        async with self._store.unit_of_work(actor) as uow:
            await acting(uow)
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
            require_standing(account)
            saved = await uow.users.save(change.applied_to(account))
            await uow.commit()
        return saved.as_user()

    @retrying
    async def update_online_status(self, actor: Actor, status: OnlineStatus | str) -> UserStatus:
        """Sets the acting person's status; last_seen_at becomes now.

        Raises `Invalid`, `UserNotFound`, `AccountInactive`.
        """
        wanted = arguments.one_of(OnlineStatus, status, "status")
        return await self._store.once(actor).users.update_online_status(wanted)

    @retrying
    async def set_custom_status(self, actor: Actor, text: str, expires_at: Moment | None = None) -> UserStatus:
        """Sets what the acting person says of themselves, until a time, or with None until it is cleared.

        Once it has expired it reads as absent. Raises `Invalid`, also for a time that is not ahead, `UserNotFound`,
        `AccountInactive`.
        """
        custom = CustomStatus(text=text, expires_at=expires_at)
        return await self._store.once(actor).users.set_custom_status(custom)

    @retrying
    async def clear_custom_status(self, actor: Actor) -> UserStatus:
        """Raises `Invalid` for the application, `UserNotFound`, `AccountInactive`."""
        return await self._store.once(actor).users.set_custom_status(None)

    @retrying
    async def update_settings(
        self, actor: Actor, change: SettingsChange, expected_version: int | None = None
    ) -> UserSettings:
        """Sets what the acting person prefers; an `expected_version` that no longer stands raises `StaleVersion`.

        A change that changes nothing writes nothing. Raises `Invalid`, `UserNotFound`, `AccountInactive`.
        """
        version = arguments.version(expected_version)
        return await self._store.once(actor).users.update_settings(change, expected_version=version)

    @retrying
    async def suspend(self, actor: Actor, user_id: UserId | str) -> User:
        """Bars an account from acting and ends its sessions; a suspended one stays as it is.

        For the application, administrators and supervisors. Raises `UserNotFound`, `NotStaff`, `AccountInactive`.
        """
        return await self._change(actor, user_id, lambda account: barred(account, AccountStatus.SUSPENDED))

    @retrying
    async def reactivate(self, actor: Actor, user_id: UserId | str) -> User:
        """Lets a suspended or deactivated account act again; an address never verified still waits for that.

        For the application, administrators and supervisors. Raises `UserNotFound`, `NotStaff`, `AccountInactive`.
        """
        return await self._change(actor, user_id, reactivated)

    @retrying
    async def deactivate(self, actor: Actor, user_id: UserId | str | None = None) -> User:
        """Bars an account, the acting person's own unless another is named, and ends its sessions.

        Another's is for the application, administrators and supervisors. Raises `UserNotFound`, `NotStaff`,
        `AccountInactive`, `Invalid` for the application without a name.
        """
        wanted = arguments.person(actor) if user_id is None else user_id
        return await self._change(
            actor, wanted, lambda account: barred(account, AccountStatus.DEACTIVATED), or_own=True
        )

    @retrying
    async def link_external_id(self, actor: Actor, user_id: UserId | str, external_id: str) -> User:
        """Makes another system's name for an account known; the one it has already changes nothing.

        Not for the person, whose claim nobody has checked: for the application, administrators and supervisors. Raises
        `ExternalIdTaken`, `AlreadyLinked`, `UserNotFound`, `NotStaff`, `AccountInactive`, `Invalid`.
        """
        link = ExternalLink(external_id=external_id)
        return await self._change(actor, user_id, lambda account: linked(account, link.external_id))

    @retrying
    async def unlink_external_id(self, actor: Actor, user_id: UserId | str) -> User:
        """Takes the external id from an account; one that has none stays as it is.

        For the person, the application, administrators and supervisors. Raises `NotKnownOtherwise`, `UserNotFound`,
        `NotStaff`, `AccountInactive`.
        """
        return await self._change(actor, user_id, unlinked, or_own=True)

    async def _change(
        self, actor: Actor, user_id: UserId | str, change: Callable[[Account], Account], *, or_own: bool = False
    ) -> User:
        """A held account changed by a rule, when the actor may; a change that changes nothing writes nothing."""
        wanted = arguments.user_id(user_id)
        async with self._store.unit_of_work(actor) as uow:
            account = await self._held(uow, wanted, or_own=or_own)
            changed = change(account)
            if changed == account:
                return account.as_user()
            saved = await uow.users.save(changed)
            await uow.commit()
        return saved.as_user()

    async def _held(self, uow: UnitOfWork, wanted: UserId, *, or_own: bool) -> Account:
        if or_own and wanted == uow.actor.user_id:
            account = await uow.users.hold(wanted)
            require_standing(account)
            return account
        staff = await acting(uow)
        account = await uow.users.hold(wanted)
        require_over(staff, account)
        return account

    async def find_online(self, actor: Actor, after: str | None = None, limit: int = DEFAULT_LIMIT) -> Page[Profile]:
        """Who of the tenant is not offline, seen latest first; `newer` continues. Raises `Invalid`, `InvalidCursor`."""
        return await self._store.reader(actor).users.find_online(arguments.cursor(after), limit)

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
