"""The settings of a command, from the environment; what is wrong with them told in one line."""

from __future__ import annotations

from typing import Any, ClassVar

from app.settings import Settings, SettingsError


class UnusableSettings(Exception):
    """Settings that cannot be used: every problem, in one line."""

    code: ClassVar[str] = "settings"


def settings(**overrides: Any) -> Settings:
    """Settings from the environment and its files; `overrides`, by field name, win. Raises `UnusableSettings`."""
    try:
        return Settings.load(**overrides)
    except SettingsError as error:
        raise UnusableSettings("; ".join(error.problems)) from None
