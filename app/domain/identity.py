"""Identity: tenants, users, their settings and their status (SPEC 2.1 to 2.3, 2.25, 3.1)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Protocol, Self

from pydantic import AfterValidator, SecretStr, StringConstraints, model_validator
from sqlmodel import Field

from .documents import EMPTY, Document
from .errors import Conflict, Forbidden, Invalid, NotFound
from .ids import DEFAULT_TENANT, TenantId, UserId
from .text import NAMEABLE, STORABLE, is_storable, key_of
from .values import Moment, Value

EMAIL_MAX = 255
USERNAME_MAX = 50
DISPLAY_NAME_MAX = 255
AVATAR_URL_MAX = 500
EXTERNAL_ID_MAX = 128
SLUG_MAX = 63
PASSWORD_MIN = 8
PASSWORD_MAX = 1024
"""Characters. Long enough for any pass phrase, short enough that hashing one is no way to keep a server busy."""


# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class AccountType(StrEnum):
    GUEST = "guest"
    MEMBER = "member"
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"
    ROBOT = "robot"


class AccountStatus(StrEnum):
    PENDING_VERIFICATION = "pending-verification"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"


class OnlineStatus(StrEnum):
    OFFLINE = "offline"
    ONLINE = "online"
    AWAY = "away"
    BUSY = "busy"


def _email(value: str) -> str:
    local, at, domain = value.rpartition("@")
    if not (local and at and domain) or "@" in local or any(c.isspace() for c in value):
        raise ValueError("must look like name@domain")
    return value


Email = Annotated[str, StringConstraints(max_length=EMAIL_MAX), NAMEABLE, AfterValidator(_email)]
Username = Annotated[str, StringConstraints(max_length=USERNAME_MAX), NAMEABLE]
ExternalId = Annotated[str, StringConstraints(max_length=EXTERNAL_ID_MAX), NAMEABLE]
FullName = Annotated[str, StringConstraints(max_length=DISPLAY_NAME_MAX), NAMEABLE]
Slug = Annotated[str, StringConstraints(max_length=SLUG_MAX, pattern=r"^[a-z0-9](-?[a-z0-9])*$")]
AvatarUrl = Annotated[str, StringConstraints(max_length=AVATAR_URL_MAX), STORABLE]


def _key_or_none(name: object) -> str | None:
    try:
        return key_of(name) if isinstance(name, str) and is_storable(name) else None
    except ValueError:
        return None


class Tenant(Value):
    """A customer of a multi-tenant application; everything else belongs to exactly one (SPEC 2.25)."""

    id: TenantId
    slug: Slug
    name: FullName
    settings: Document = EMPTY
    created_at: Moment
    updated_at: Moment


class User(Value):
    """A person or robot as others may see them. What only login may see is in `Account`."""

    id: UserId
    tenant_id: TenantId = DEFAULT_TENANT
    email: Email | None = None
    username: Username
    external_id: ExternalId | None = None
    first_name: FullName | None = None
    last_name: FullName | None = None
    display_name: FullName | None = None
    avatar_url: AvatarUrl | None = None
    account_type: AccountType = AccountType.GUEST
    account_status: AccountStatus = AccountStatus.PENDING_VERIFICATION
    is_email_verified: bool = False
    created_at: Moment
    updated_at: Moment
    deleted_at: Moment | None = None

    @property
    def is_barred(self) -> bool:
        """True when the account may not act: suspended, deactivated or deleted."""
        return self.deleted_at is not None or self.account_status in (
            AccountStatus.SUSPENDED,
            AccountStatus.DEACTIVATED,
        )


class Account(User):
    """A user as stored: with the comparison keys, the password hash and the session epoch.

    E-mail and password may both be absent only for guests, robots and accounts known by an external id (SPEC 1.10).
    """

    email_key: str | None = None
    username_key: str
    password_hash: str | None = Field(default=None, max_length=255, repr=False)
    session_epoch: int = Field(default=0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, data: Any) -> Any:
        """Keys follow from the names; nobody hands them in. A name without a key is for its own field to refuse."""
        if isinstance(data, dict):
            keys = {f"{field}_key": _key_or_none(data.get(field)) for field in ("email", "username")}
            return {**data, **keys, "username_key": keys["username_key"] or ""}
        return data

    @model_validator(mode="after")
    def _can_be_known(self) -> Self:
        known = self.email is not None and self.password_hash is not None
        if not known and self.external_id is None and self.account_type not in (AccountType.GUEST, AccountType.ROBOT):
            raise ValueError("email: needed, with a password, unless it is a guest, a robot or has an external id")
        return self

    def as_user(self) -> User:
        """The part others may see."""
        return User(**{name: getattr(self, name) for name in User.model_fields})


class UserSettings(Value):
    """What a user prefers (SPEC 2.2)."""

    user_id: UserId
    tenant_id: TenantId = DEFAULT_TENANT
    theme: str = Field(default="light", min_length=1, max_length=50)
    notifications_enabled: bool = True
    preferences: Document = EMPTY
    version: int = Field(default=1, ge=1)
    created_at: Moment
    updated_at: Moment


class UserStatus(Value):
    """Whether a user is there; its own row, so that presence never rewrites the user (SPEC 2.3)."""

    user_id: UserId
    tenant_id: TenantId = DEFAULT_TENANT
    status: OnlineStatus = OnlineStatus.OFFLINE
    last_seen_at: Moment
    custom_status: Annotated[str, StringConstraints(max_length=255), STORABLE] | None = None
    custom_status_expires_at: Moment | None = None
    created_at: Moment
    updated_at: Moment


class Profile(Value):
    """A user with their status: what a profile page shows."""

    user: User
    status: UserStatus

    @property
    def is_online(self) -> bool:
        return self.status.status is not OnlineStatus.OFFLINE


class Registration(Value):
    """What is needed to register. Members need e-mail and password; guests, robots and imported accounts do not."""

    username: Username
    email: Email | None = None
    password: SecretStr | None = Field(default=None, min_length=PASSWORD_MIN, max_length=PASSWORD_MAX)
    external_id: ExternalId | None = None
    first_name: FullName | None = None
    last_name: FullName | None = None
    display_name: FullName | None = None
    avatar_url: AvatarUrl | None = None
    account_type: AccountType = AccountType.MEMBER


class ProfileChange(Value):
    """The profile fields to set; a field not given stays as it is, None clears it."""

    username: Username | None = None
    first_name: FullName | None = None
    last_name: FullName | None = None
    display_name: FullName | None = None
    avatar_url: AvatarUrl | None = None

    def applied_to(self, account: Account) -> Account:
        changes = {name: getattr(self, name) for name in self.model_fields_set}
        if "username" in changes and changes["username"] is None:
            raise Invalid.field("username", "cannot be cleared")
        return account.changed(**changes)


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_FREE_TO_TAKE = frozenset({AccountType.GUEST, AccountType.MEMBER})


def require_registrable(account_type: AccountType, by_application: bool) -> None:
    """A person registering themselves becomes a guest or member; staff and robots are made by the application."""
    if account_type not in _FREE_TO_TAKE and not by_application:
        raise StaffOnly(account_type=account_type.value)


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────


class UserNotFound(NotFound):
    """There is no such user in this tenant."""

    code = "user_not_found"


class TenantNotFound(NotFound):
    """There is no such tenant."""

    code = "tenant_not_found"


class SlugTaken(Conflict):
    """Another tenant has this slug."""

    code = "slug_taken"
    remedy = "Choose another slug."


class EmailTaken(Conflict):
    """Another account of the tenant has this e-mail, compared without regard to case and look-alike forms."""

    code = "email_taken"
    remedy = "Log in with the existing account, or use another address."


class UsernameTaken(Conflict):
    """Another account of the tenant has this username, compared without regard to case and look-alike forms."""

    code = "username_taken"
    remedy = "Choose another username."


class ExternalIdTaken(Conflict):
    """Another account of the tenant is linked to this external id."""

    code = "external_id_taken"
    remedy = "Find the user by the external id."


class StaffOnly(Forbidden):
    """This kind of account is made by the application, not by a person registering."""

    code = "staff_only"
    remedy = "Register it with `Actor.system()`."


class AccountInactive(Forbidden):
    """The acting account is suspended, deactivated or deleted."""

    code = "account_inactive"
    remedy = "Reactivate the account first."


# ── ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class UserReader(Protocol):
    """Reads users of the actor's tenant. Deleted users are absent."""

    async def find_by_id(self, user_id: UserId) -> User | None: ...

    async def find_by_email(self, email: str) -> User | None:
        """Compared by `text.key_of`; None for text that is no e-mail at all."""
        ...

    async def find_by_username(self, username: str) -> User | None:
        """Compared by `text.key_of`."""
        ...

    async def find_by_external_id(self, external_id: str) -> User | None:
        """Compared to the letter."""
        ...

    async def profile(self, user_id: UserId) -> Profile:
        """Raises `UserNotFound`."""
        ...

    async def settings(self, user_id: UserId) -> UserSettings:
        """Raises `UserNotFound`."""
        ...


class StatusWriter(Protocol):
    """The one hot write of identity."""

    async def update_online_status(self, status: OnlineStatus) -> UserStatus:
        """Sets the acting user's status and last_seen_at = now. Raises `UserNotFound`."""
        ...


class Users(UserReader, StatusWriter, Protocol):
    """Users inside a unit of work."""

    async def create(self, account: Account) -> None:
        """Adds the account with default settings and an offline status.

        Raises `EmailTaken`, `UsernameTaken`, `ExternalIdTaken`, `TenantNotFound`.
        """
        ...

    async def hold(self, user_id: UserId) -> Account:
        """The account, held against other writers until the unit ends. Raises `UserNotFound`."""
        ...

    async def save(self, account: Account) -> Account:
        """Stores a held account's new values; returns it with updated_at set.

        Raises as `create`, and `UserNotFound`.
        """
        ...


class TenantReader(Protocol):
    """Reads tenants; not bound to the actor's own."""

    async def find_by_slug(self, slug: str) -> Tenant | None: ...


class Tenants(TenantReader, Protocol):
    """Tenants inside a unit of work."""

    async def create(self, tenant: Tenant) -> None:
        """Raises `SlugTaken`."""
        ...


class Passwords(Protocol):
    """Hashes passwords; slow on purpose, so it never runs on the event loop."""

    async def hash(self, password: SecretStr) -> str:
        """A self-describing hash of at most 255 characters."""
        ...

    async def verify(self, password: SecretStr, password_hash: str) -> bool:
        """True when the hash was made from this password; never raises for a wrong one."""
        ...
