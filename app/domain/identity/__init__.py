"""Identity: tenants, users, their settings and their status (SPEC 2.1 to 2.3, 2.25, 3.1). The ports are in `ports`.

How an account is proved, passwords and one-time tokens, is in `credentials`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, SecretStr, StringConstraints, model_validator
from sqlmodel import Field

from app.domain.documents import EMPTY, Document
from app.domain.errors import Conflict, Forbidden, Invalid, NotFound
from app.domain.ids import DEFAULT_TENANT, TenantId, UserId
from app.domain.pages import InvalidCursor, id_at
from app.domain.text import NAMEABLE, STORABLE, key_or_none
from app.domain.values import Moment, Value

EMAIL_MAX = 255
USERNAME_MAX = 50
DISPLAY_NAME_MAX = 255
AVATAR_URL_MAX = 500
EXTERNAL_ID_MAX = 128
SLUG_MAX = 63
THEME_MAX = 50
CUSTOM_STATUS_MAX = 255
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
Theme = Annotated[str, StringConstraints(max_length=THEME_MAX), NAMEABLE]
AvatarUrl = Annotated[str, StringConstraints(max_length=AVATAR_URL_MAX), STORABLE]


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
            names = {f"{field}_key": data.get(field) for field in ("email", "username")}
            keys = {key: key_or_none(name) if isinstance(name, str) else None for key, name in names.items()}
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
    theme: Theme = "light"
    notifications_enabled: bool = True
    preferences: Document = EMPTY
    version: int = Field(default=1, ge=1)
    created_at: Moment
    updated_at: Moment


class SettingsChange(Value):
    """The settings to set; what is not given stays, and nothing can be cleared. Preferences are replaced as a whole."""

    theme: Theme | None = None
    notifications_enabled: bool | None = None
    preferences: Document | None = None

    @model_validator(mode="after")
    def _clears_nothing(self) -> Self:
        for name in self.model_fields_set:
            if getattr(self, name) is None:
                raise ValueError(f"{name}: cannot be cleared")
        return self

    def applied_to(self, settings: UserSettings) -> UserSettings:
        return settings.changed(**{name: getattr(self, name) for name in self.model_fields_set})


class UserStatus(Value):
    """Whether a user is there; its own row, so that presence never rewrites the user (SPEC 2.3)."""

    user_id: UserId
    tenant_id: TenantId = DEFAULT_TENANT
    status: OnlineStatus = OnlineStatus.OFFLINE
    last_seen_at: Moment
    custom_status: Annotated[str, StringConstraints(max_length=CUSTOM_STATUS_MAX), STORABLE] | None = None
    custom_status_expires_at: Moment | None = None
    created_at: Moment
    updated_at: Moment

    def at(self, moment: Moment) -> Self:
        """The status as it reads then: a custom status that has expired is absent."""
        if self.custom_status_expires_at is None or self.custom_status_expires_at > moment:
            return self
        return self.changed(custom_status=None, custom_status_expires_at=None)


class CustomStatus(Value):
    """What a user says of themselves, until a time or until it is cleared."""

    text: Annotated[str, StringConstraints(max_length=CUSTOM_STATUS_MAX), NAMEABLE]
    expires_at: Moment | None = None

    def require_ahead(self, now: Moment) -> None:
        """Raises `Invalid` for a status that would be over before it began."""
        if self.expires_at is not None and self.expires_at <= now:
            raise Invalid.field("expires_at", "must lie ahead")


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


PRESENCE = "presence"
"""What a cursor of the list of who is online is good for."""
_PLACE_BYTES = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def place_by_presence(profile: Profile) -> bytes:
    """Where a user stands in the list of who is online: when they were last seen, then their id."""
    since = (profile.status.last_seen_at - _EPOCH) // _MICROSECOND
    return since.to_bytes(_PLACE_BYTES, signed=True) + profile.user.id.bytes


def last_seen_at(place: bytes) -> tuple[Moment, UserId]:
    """The time and user of such a place; `InvalidCursor` for a place that is none."""
    user_id = id_at(place[_PLACE_BYTES:])
    try:
        return _EPOCH + int.from_bytes(place[:_PLACE_BYTES], signed=True) * _MICROSECOND, UserId(user_id)
    except OverflowError:
        raise InvalidCursor.field("cursor", "is damaged or belongs to another list") from None


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
