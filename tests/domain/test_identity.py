"""The limits and rules of identity."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from app.domain import identity
from app.domain.documents import EMPTY, Document
from app.domain.errors import Invalid
from app.domain.identity import (
    Account,
    AccountStatus,
    AccountType,
    CustomStatus,
    OnlineStatus,
    Profile,
    ProfileChange,
    Registration,
    SettingsChange,
    StaffOnly,
    User,
    UserSettings,
    UserStatus,
    require_registrable,
)
from app.domain.identity.standing import (
    AlreadyLinked,
    NotKnownOtherwise,
    NotStaff,
    barred,
    linked,
    reactivated,
    require_over,
    unlinked,
)
from app.domain.ids import UserId

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
USER: dict[str, Any] = {"id": UserId(UUID(int=7)), "username": "ann", "created_at": NOW, "updated_at": NOW}
MEMBER: dict[str, Any] = {
    **USER,
    "email": "ann@example.org",
    "password_hash": "x",
    "account_type": AccountType.MEMBER,
}


@pytest.mark.spec("1.10")
def test_defaults() -> None:
    user = User(**USER)
    assert (user.account_type, user.account_status) == (AccountType.GUEST, AccountStatus.PENDING_VERIFICATION)
    assert user.is_email_verified is False
    times = {"created_at": NOW, "updated_at": NOW}
    settings = UserSettings(user_id=user.id, **times)  # type: ignore[arg-type]  # mypy cannot see through the dict
    assert (settings.theme, settings.notifications_enabled, settings.preferences, settings.version) == (
        "light",
        True,
        EMPTY,
        1,
    )
    status = UserStatus(user_id=user.id, last_seen_at=NOW, **times)  # type: ignore[arg-type]  # the same
    assert status.status is OnlineStatus.OFFLINE
    assert not Profile(user=user, status=status).is_online
    assert Profile(user=user, status=status.changed(status="away")).is_online


@pytest.mark.parametrize(
    ("field", "longest"),
    [
        ("username", "a" * identity.USERNAME_MAX),
        ("email", "a" * (identity.EMAIL_MAX - 4) + "@b.c"),
        ("external_id", "a" * identity.EXTERNAL_ID_MAX),
        ("first_name", "a" * identity.DISPLAY_NAME_MAX),
        ("last_name", "a" * identity.DISPLAY_NAME_MAX),
        ("display_name", "a" * identity.DISPLAY_NAME_MAX),
        ("avatar_url", "a" * identity.AVATAR_URL_MAX),
    ],
)
def test_text_limits(field: str, longest: str) -> None:
    for model in (User, Account):
        assert getattr(model(**{**USER, field: longest}), field) == longest
        for wrong in ("a" + longest, "a\0@b", "a\ud800@b"):
            with pytest.raises(Invalid) as refused:
                model(**{**USER, field: wrong})
            assert refused.value.details["field"] == field
            assert wrong not in str(refused.value)


@pytest.mark.parametrize("field", ["username", "external_id", "first_name", "last_name", "display_name", "email"])
@pytest.mark.parametrize("name", ["", " ", "\u200b", "a\nb", "a\x7fb"])
def test_a_name_can_be_seen(field: str, name: str) -> None:
    with pytest.raises(Invalid, match=field):
        User(**{**USER, field: name})


@pytest.mark.parametrize("email", ["ann", "@b.c", "ann@", "a@b@c", "a b@c.d", "ann@b\u00a0c"])
def test_what_is_no_email(email: str) -> None:
    with pytest.raises(Invalid, match="email"):
        User(**{**USER, "email": email})


@pytest.mark.spec("1.6")
def test_an_account_makes_its_own_keys() -> None:
    account = Account(**{**MEMBER, "username": "Ann", "email": "ANN@Example.org"})
    assert (account.username_key, account.email_key) == ("ann", "ann@example.org")
    assert account.changed(username="Béa").username_key == "béa"
    assert Account(**{**MEMBER, "username_key": "somebody-else"}).username_key == "ann"


@pytest.mark.spec("1.10")
@pytest.mark.parametrize("kind", AccountType)
def test_only_guests_robots_and_external_accounts_do_without_email_and_password(kind: AccountType) -> None:
    bare = {**USER, "account_type": kind}
    if kind in (AccountType.GUEST, AccountType.ROBOT):
        Account(**bare)
    else:
        for part in ({}, {"email": "ann@example.org"}, {"password_hash": "x"}):
            with pytest.raises(Invalid) as refused:
                Account(**{**bare, **part})
            assert refused.value.details["field"] == "email"
    Account(**{**bare, "external_id": "auth0|1"})
    Account(**{**bare, "email": "ann@example.org", "password_hash": "x"})


def test_what_only_login_may_see_is_not_in_a_user_nor_in_print() -> None:
    account = Account(**{**MEMBER, "password_hash": "$2b$12$secret"})
    assert "secret" not in repr(account)
    assert not {"password_hash", "session_epoch", "email_key", "username_key"} & set(account.as_user().model_dump())
    assert type(account.as_user()) is User


def test_a_password_hash_has_at_most_255_characters() -> None:
    Account(**{**MEMBER, "password_hash": "x" * 255})
    with pytest.raises(Invalid, match="password_hash"):
        Account(**{**MEMBER, "password_hash": "x" * 256})


@pytest.mark.parametrize(("length", "allowed"), [(7, False), (8, True), (1024, True), (1025, False)])
def test_passwords_are_from_8_to_1024_characters(length: int, allowed: bool) -> None:
    password = SecretStr("p" * length)
    if allowed:
        assert "ppp" not in repr(Registration(username="ann", password=password))
    else:
        with pytest.raises(Invalid) as refused:
            Registration(username="ann", password=password)
        assert "ppp" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "deleted", "barred"),
    [
        ("pending-verification", False, False),
        ("active", False, False),
        ("suspended", False, True),
        ("deactivated", False, True),
        ("active", True, True),
    ],
)
def test_who_may_not_act(status: str, deleted: bool, barred: bool) -> None:
    assert User(**USER, account_status=AccountStatus(status), deleted_at=NOW if deleted else None).is_barred is barred


@pytest.mark.spec("3.1")
@pytest.mark.parametrize("kind", AccountType)
def test_people_register_as_guest_or_member(kind: AccountType) -> None:
    require_registrable(kind, by_application=True)
    if kind in (AccountType.GUEST, AccountType.MEMBER):
        require_registrable(kind, by_application=False)
    else:
        with pytest.raises(StaffOnly):
            require_registrable(kind, by_application=False)


def test_a_profile_change_sets_what_it_names() -> None:
    account = Account(**MEMBER, first_name="Ann", last_name="Lee")
    changed = ProfileChange(username="Bea", last_name=None).applied_to(account)
    assert (changed.username, changed.username_key, changed.first_name, changed.last_name) == (
        "Bea",
        "bea",
        "Ann",
        None,
    )
    assert ProfileChange().applied_to(account) == account
    with pytest.raises(Invalid, match="username"):
        ProfileChange(username=None).applied_to(account)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("theme", ""), ("theme", "x" * 51), ("version", 0), ("preferences", {"a": float("nan")})],
)
def test_settings_limits(field: str, wrong: object) -> None:
    with pytest.raises(Invalid) as refused:
        UserSettings(**{"user_id": UUID(int=7), "created_at": NOW, "updated_at": NOW, field: wrong})  # type: ignore[arg-type]  # wrong values are the point
    assert refused.value.details["field"] == field


@pytest.mark.spec("1.5")
@pytest.mark.parametrize("field", ["account_type", "account_status"])
def test_a_choice_is_one_of_its_values(field: str) -> None:
    with pytest.raises(Invalid, match=field):
        User(**{**USER, field: "nonsense"})


@pytest.mark.spec("2.2")
def test_a_settings_change_sets_what_it_names_and_clears_nothing() -> None:
    settings = UserSettings(user_id=USER["id"], created_at=NOW, updated_at=NOW)
    assert SettingsChange().applied_to(settings) == settings
    changed = SettingsChange(theme="dark", preferences={"a": 1}).applied_to(settings)  # type: ignore[arg-type]  # validated to a document
    assert (changed.theme, changed.notifications_enabled, changed.preferences) == ("dark", True, Document({"a": 1}))
    for field in ("theme", "notifications_enabled", "preferences"):
        with pytest.raises(Invalid) as refused:
            SettingsChange(**{field: None})
        assert refused.value.details == {"field": field, "reason": "cannot be cleared"}


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        *(("theme", text) for text in ("", "x" * 51, "a\0b", "\ud800", 7)),
        *(("notifications_enabled", text) for text in ("perhaps", 7)),
        *(("preferences", [*given]) for given in ("", "a")),
        *(("preferences", {"a": given}) for given in (float("nan"), "\0", "x" * 70_000)),
    ],
)
def test_what_is_no_setting(field: str, wrong: object) -> None:
    with pytest.raises(Invalid) as refused:
        SettingsChange(**{field: wrong})  # type: ignore[arg-type]  # wrong values are the point
    assert refused.value.details["field"] == field


@pytest.mark.spec("2.3")
def test_a_custom_status_is_absent_from_its_expiry_on() -> None:
    status = UserStatus(
        user_id=USER["id"],
        last_seen_at=NOW,
        custom_status="lunch",
        custom_status_expires_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )
    assert status.at(NOW - timedelta(microseconds=1)) is status
    assert status.at(NOW) == status.changed(custom_status=None, custom_status_expires_at=None)
    for_good = status.changed(custom_status_expires_at=None)
    assert for_good.at(NOW + timedelta(days=9999)) is for_good


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        *(({"text": wrong}, "text") for wrong in ("", " ", "x" * 256, "a\0b", "\ud800", "a\nb", None, 7)),
        ({"text": "a", "expires_at": datetime(2026, 1, 1)}, "expires_at"),  # noqa: DTZ001 - naive is the point
        ({"text": "a", "expires_at": "soon"}, "expires_at"),
    ],
)
def test_what_is_no_custom_status(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        CustomStatus(**fields)
    assert refused.value.details["field"] == field


def test_a_custom_status_may_be_255_characters_and_end_later() -> None:
    CustomStatus(text="é" * 255, expires_at=NOW).require_ahead(NOW - timedelta(microseconds=1))
    with pytest.raises(Invalid, match="expires_at"):
        CustomStatus(text="x", expires_at=NOW).require_ahead(NOW)


STAFF = {kind: User(**USER, account_type=kind) for kind in AccountType}
BELOW = {AccountType.GUEST, AccountType.MEMBER, AccountType.AGENT, AccountType.ROBOT}


@pytest.mark.spec("3.1")
@pytest.mark.parametrize("acting", [None, *AccountType])
@pytest.mark.parametrize("subject", AccountType)
def test_who_stands_over_whom(acting: AccountType | None, subject: AccountType) -> None:
    allowed = acting in (None, AccountType.ADMIN) or (acting is AccountType.SUPERVISOR and subject in BELOW)
    staff = None if acting is None else STAFF[acting]
    if allowed:
        require_over(staff, STAFF[subject])
    else:
        with pytest.raises(NotStaff):
            require_over(staff, STAFF[subject])


@pytest.mark.spec("3.1")
def test_barring_ends_sessions_and_is_undone() -> None:
    account = Account(**MEMBER, account_status=AccountStatus.ACTIVE, is_email_verified=True, session_epoch=3)
    suspended = barred(account, AccountStatus.SUSPENDED)
    assert (suspended.account_status, suspended.session_epoch) == (AccountStatus.SUSPENDED, 4)
    assert barred(suspended, AccountStatus.SUSPENDED) is suspended
    assert barred(suspended, AccountStatus.DEACTIVATED).session_epoch == 5
    assert reactivated(suspended) == account.changed(session_epoch=4)
    assert reactivated(account) is account
    unverified = barred(account.changed(is_email_verified=False), AccountStatus.DEACTIVATED)
    assert reactivated(unverified).account_status is AccountStatus.PENDING_VERIFICATION
    without = barred(Account(**USER, account_status=AccountStatus.ACTIVE), AccountStatus.SUSPENDED)
    assert reactivated(without).account_status is AccountStatus.ACTIVE


@pytest.mark.spec("3.1")
def test_an_external_id_is_linked_once_and_unlinked_when_something_else_is_known() -> None:
    account = Account(**MEMBER)
    known = linked(account, "crm-1")
    assert known.external_id == "crm-1"
    assert linked(known, "crm-1") == known
    with pytest.raises(AlreadyLinked):
        linked(known, "crm-2")
    assert unlinked(known) == account == unlinked(account)
    external = Account(**USER, account_type=AccountType.MEMBER, external_id="crm-1")
    for less in ({}, {"email": "ann@example.org"}, {"password_hash": "x"}):
        with pytest.raises(NotKnownOtherwise):
            unlinked(external.changed(**less))
    assert unlinked(external.changed(account_type=AccountType.GUEST)).external_id is None
