"""What the tests of settings share."""

from typing import Any

import pytest
from asyncpg import connect_utils

from app.settings import Settings, SettingsError

KEY = "k" * 32
SECRET = "hunter2-swordfish"


def problems_of(**values: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings(**values)
    return list(caught.value.problems)


def driver_view(url: str, **others: Any) -> tuple[list[Any], Any]:
    """What asyncpg makes of the form we hand to it."""
    names = (
        "host port user password passfile database ssl service servicefile direct_tls server_settings"
        " target_session_attrs krbsrvname gsslib"
    )
    dsn = Settings(database_url=url, **others).database_dsn
    # Private and so not in the stubs, but no other judge of a DSN works without a server.
    read = vars(connect_utils)["_parse_connect_dsn_and_args"]
    view: tuple[list[Any], Any] = read(dsn=dsn, **dict.fromkeys(names.split()))
    return view
