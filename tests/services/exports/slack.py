"""A Slack export as a test writes it: a small workspace with most of what real exports have."""

from __future__ import annotations

import copy
import json
import zipfile
from pathlib import Path
from typing import Any

BEGIN = 1_704_103_200  # 2024-01-01 10:00 UTC


def ts(seconds: float, micros: int = 0) -> str:
    """A `ts` so many seconds after the beginning."""
    return f"{BEGIN + int(seconds)}.{micros:06d}"


def message(at: float, user: str | None, text: str, micros: int = 0, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "message", "ts": ts(at, micros), "text": text, **more}
    if user is not None:
        found["user"] = user
    return found


USERS: list[dict[str, Any]] = [
    {
        "id": "U1",
        "name": "ann",
        "real_name": "Ann Arbor",
        "profile": {"display_name": "Ann", "email": "ann@example.org"},
    },
    {"id": "U2", "name": "ben", "profile": {"real_name": "Ben", "first_name": "Ben", "last_name": "Nevis"}},
    {"id": "U3", "name": "cy", "deleted": True, "profile": {}},
    {"id": "U4", "name": "guest", "is_restricted": True, "profile": {"display_name": "Gus"}},
    {"id": "U5", "name": "buildbot", "is_bot": True, "profile": {"real_name": "Build bot"}},
]

CHANNELS: list[dict[str, Any]] = [
    {
        "id": "C1",
        "name": "general",
        "created": BEGIN - 1000,
        "creator": "U1",
        "is_general": True,
        "is_archived": False,
        "members": ["U1", "U2", "U3", "U4"],
        "topic": {"value": "Anything"},
        "purpose": {"value": "For everybody"},
        "pins": [{"id": ts(10), "type": "C", "user": "U2", "created": BEGIN + 500}],
    },
    {"id": "C2", "name": "old", "created": BEGIN, "is_archived": True, "members": []},
]
GROUPS = [{"id": "G1", "name": "secret", "created": BEGIN, "creator": "U2", "members": ["U1", "U2"]}]
MPIMS = [{"id": "G2", "name": "mpdm-ann--ben--cy-1", "members": ["U1", "U2", "U3"]}]
DMS = [{"id": "D1", "members": ["U1", "U2"]}]

GENERAL_FIRST_DAY: list[dict[str, Any]] = [
    message(1, "U1", "<@U1> has joined the channel", subtype="channel_join"),
    message(
        10,
        "U1",
        "Hello <@U2> &amp; <!here>, see <https://example.org/a|this page> in <#C2|old>",
        client_msg_id="11111111-2222-3333-4444-555555555555",
        reactions=[
            {"name": "tada", "users": ["U2", "U3"], "count": 2},
            {"name": "clap::skin-tone-3", "users": ["U2"], "count": 5},
        ],
        thread_ts=ts(10),
        reply_count=2,
        reply_users=["U2"],
    ),
    message(20, "U2", "an answer", thread_ts=ts(10), parent_user_id="U1"),
    message(20, "U3", "in the same second", micros=1),
    message(30, "U2", "also in the channel", subtype="thread_broadcast", thread_ts=ts(10), root={"ts": ts(10)}),
    message(40, "U1", "edited once", edited={"user": "U1", "ts": f"{BEGIN + 45}.000000"}),
    message(
        50,
        "U2",
        "",
        files=[
            {
                "id": "F1",
                "name": "plan.pdf",
                "mimetype": "application/pdf",
                "size": 12345,
                "user": "U2",
                "url_private": "https://files.example.org/F1/plan.pdf?t=xoxe-secret-token",
            }
        ],
    ),
    message(
        55,
        "U2",
        "a picture",
        subtype="file_share",
        file={"id": "F2", "name": "cat.png", "mimetype": "image/png", "size": 10},
        upload=True,
    ),
    message(60, None, "build 7 passed", subtype="bot_message", bot_id="B1", username="ci"),
    message(
        61, None, "", subtype="bot_message", bot_id="B1", username="ci", attachments=[{"fallback": "build 8 failed"}]
    ),
    message(70, "U9", "from another workspace", user_profile={"display_name": "Stranger"}),
    message(80, "U1", "waves", subtype="me_message"),
    message(90, "U1", "something new", subtype="a_kind_of_the_future", payload={"x": [1, 2]}),
    message(95, "U1", "not a time") | {"ts": "yesterday"},
    message(96, "U1", "a NUL \x00 in it"),
    message(97, "U1", "half a pair \ud83d"),
    {"type": "message", "subtype": "message_replied", "ts": ts(98), "message": {"ts": ts(10)}},
    {
        "type": "message",
        "subtype": "tombstone",
        "ts": ts(100),
        "user": "USLACKBOT",
        "text": "gone",
        "thread_ts": ts(100),
    },
    message(101, "U2", "an answer to what is gone", thread_ts=ts(100)),
    message(102, "U2", "an answer to what is not here", thread_ts=ts(-500)),
]
GENERAL_SECOND_DAY: list[dict[str, Any]] = [
    message(90_000, "U3", "next day"),
    {
        "type": "message",
        "subtype": "message_changed",
        "ts": ts(90_050),
        "message": message(
            90_000, "U3", "next day, corrected", edited={"user": "U3", "ts": f"{BEGIN + 90_040}.000000"}
        ),
    },
    message(90_100, "U2", "to be deleted"),
    {
        "type": "message",
        "subtype": "message_deleted",
        "ts": ts(90_200),
        "deleted_ts": ts(90_100),
        "previous_message": message(90_100, "U2", "to be deleted"),
    },
]

FILES: dict[str, Any] = {
    "users.json": USERS,
    "channels.json": CHANNELS,
    "groups.json": GROUPS,
    "mpims.json": MPIMS,
    "dms.json": DMS,
    "integration_logs.json": [],
    "general/2024-01-01.json": GENERAL_FIRST_DAY,
    "general/2024-01-02.json": GENERAL_SECOND_DAY,
    "secret/2024-01-01.json": [message(5, "U1", "only us <!channel>")],
    "mpdm-ann--ben--cy-1/2024-01-01.json": [message(6, "U2", "the three of us")],
    "D1/2024-01-01.json": [message(7, "U1", "the two of us")],
    "nowhere/2024-01-01.json": [message(8, "U1", "in no channel")],
}


def files(**replaced: Any) -> dict[str, Any]:
    """The export's files, some of them replaced; None leaves one out. Slashes are written as double underscores."""
    changed = {name.replace("__", "/") + ".json": content for name, content in replaced.items()}
    return {name: content for name, content in {**copy.deepcopy(FILES), **changed}.items() if content is not None}


def written(path: Path, content: dict[str, Any]) -> Path:
    """The export as a zip; bytes are written as they are, everything else as JSON."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, value in content.items():
            out.writestr(name, value if isinstance(value, bytes) else json.dumps(value))
    return path
