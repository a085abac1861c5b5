"""The members of a Slack workspace, as the messages name them: by id, by bot, or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

from app.domain.identity import DISPLAY_NAME_MAX, EMAIL_MAX, AccountType
from app.services.imports.fields import Unreadable, name_of
from app.services.imports.records import SourceAuthor

_ID_MAX: Final = 60
_SLACKBOT: Final = "USLACKBOT"


class People:
    """Authors by Slack's ids; whoever is in no list gets an account when they are first named."""

    def __init__(self, source: str, with_emails: bool) -> None:
        self._prefix = f"slack:{source}"
        self._with_emails = with_emails
        self._by_id: dict[str, SourceAuthor] = {}

    def describe(self, users: Iterable[dict[str, Any]]) -> list[Unreadable]:
        """Takes the list of members; what could not be understood of it."""
        complaints: list[Unreadable] = []
        for user in users:
            try:
                author = self._described(user)
                self._by_id[user["id"]] = author
            except Unreadable as error:
                complaints.append(error)
        return complaints

    @property
    def all(self) -> tuple[SourceAuthor, ...]:
        return tuple(self._by_id.values())

    def name(self, user_id: str) -> str | None:
        """What a user is called, None for one nobody has named."""
        author = self._by_id.get(user_id)
        return author.name if author else None

    def by_id(self, user_id: Any, called: str | None = None) -> SourceAuthor:
        """The author of an id; one who is in no list (another workspace's, a bug of Slack's) is made up."""
        if not isinstance(user_id, str) or not 1 <= len(user_id) <= _ID_MAX or not user_id.isascii():
            raise Unreadable("user: is no id of Slack's")
        known = self._by_id.get(user_id)
        if known is None:
            kind = AccountType.ROBOT if user_id == _SLACKBOT else AccountType.MEMBER
            name = "Slackbot" if user_id == _SLACKBOT else called or f"Unknown {user_id}"
            known = self._by_id[user_id] = SourceAuthor(f"{self._prefix}:{user_id}", name, kind)
        return known

    def bot(self, bot_id: Any, username: Any) -> SourceAuthor:
        """Who posted as an integration: by the bot's id, or by the name it gave itself."""
        name = _name(username) or "Integration"
        own = bot_id if isinstance(bot_id, str) and bot_id.isascii() and 1 <= len(bot_id) <= _ID_MAX else None
        own = own or f"name:{sha256(name.encode()).hexdigest()[:32]}"
        known = self._by_id.get(f"bot:{own}")
        if known is None:
            author = SourceAuthor(f"{self._prefix}:bot:{own}", name, AccountType.ROBOT)
            known = self._by_id[f"bot:{own}"] = author
        return known

    def _described(self, user: dict[str, Any]) -> SourceAuthor:
        user_id = user.get("id")
        if not isinstance(user_id, str) or not 1 <= len(user_id) <= _ID_MAX or not user_id.isascii():
            raise Unreadable("id: is no id of Slack's")
        profile = user.get("profile")
        profile = profile if isinstance(profile, dict) else {}
        handle = _name(user.get("name"))
        names = (profile.get("display_name"), profile.get("real_name"), user.get("real_name"), handle)
        email = profile.get("email") if self._with_emails else None
        return SourceAuthor(
            f"{self._prefix}:{user_id}",
            next((name for name in map(_name, names) if name), f"Unknown {user_id}"),
            _account_type(user, user_id),
            handle=handle,
            first_name=_name(profile.get("first_name")),
            last_name=_name(profile.get("last_name")),
            email=email if isinstance(email, str) and 3 <= len(email) <= EMAIL_MAX else None,
            is_deactivated=user.get("deleted") is True,
        )


def _account_type(user: dict[str, Any], user_id: str) -> AccountType:
    if user.get("is_bot") is True or user_id == _SLACKBOT:
        return AccountType.ROBOT
    if user.get("is_restricted") is True or user.get("is_ultra_restricted") is True:
        return AccountType.GUEST
    return AccountType.MEMBER


def _name(value: Any) -> str | None:
    """A name that can be stored, cut to length; None for what is none."""
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        return name_of({"name": value.strip()[:DISPLAY_NAME_MAX]}, "name", DISPLAY_NAME_MAX)
    except Unreadable:
        return None
