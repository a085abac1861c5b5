"""A Mattermost export as a test writes it: in the order of ids, not of time, answers inside what they answer."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

BEGIN = 1_704_103_200_000  # 2024-01-01 10:00 UTC


def post(at: int, user: str, text: str, **more: Any) -> dict[str, Any]:
    own = {"team": "core", "channel": "town", "user": user, "message": text, "create_at": BEGIN + at, **more}
    return {"type": "post", "post": own}


def user(name: str, *channels: dict[str, Any], **more: Any) -> dict[str, Any]:
    teams = [{"name": "core", "roles": "team_user", "channels": list(channels)}]
    own = {"username": name, "email": f"{name}@example.org", "teams": teams, **more}
    return {"type": "user", "user": own}


def channel(name: str, **more: Any) -> dict[str, Any]:
    own = {"team": "core", "name": name, "display_name": name.title(), "type": "O", **more}
    return {"type": "channel", "channel": own}


LINES: list[Any] = [
    {"type": "version", "version": 1, "info": {"generator": "mattermost-server"}},
    {"type": "role", "role": {"name": "x"}},
    {"type": "emoji", "emoji": {"name": "party", "image": "emoji/party.png"}},
    {"type": "team", "team": {"name": "core", "display_name": "Core", "type": "O"}},
    channel("town", purpose="All of us", header="hello"),
    channel("dark", type="P", deleted_at=BEGIN),
    user("ann", {"name": "town", "roles": "channel_user channel_admin"}, nickname="Ann"),
    user("ben", {"name": "town", "last_viewed_at": BEGIN + 1500}, first_name="Ben", last_name="Nevis"),
    user("cy", {"name": "town"}, delete_at=BEGIN, roles="system_guest"),
    {"type": "bot", "bot": {"username": "helper", "display_name": "Helper"}},
    post(
        3000,
        "ann",
        "third, @ben and @nobody, @all",
        reactions=[{"user": "ben", "emoji_name": "tada", "create_at": BEGIN + 3100}],
        is_pinned=True,
    ),
    post(
        1000,
        "ann",
        "first",
        replies=[
            {"user": "ben", "message": "answer two", "create_at": BEGIN + 2500},
            {"user": "cy", "message": "answer one", "create_at": BEGIN + 1600, "edit_at": BEGIN + 9000},
            {"user": "cy", "message": 7, "create_at": BEGIN + 1700},
        ],
    ),
    post(2000, "helper", "second"),
    post(2000, "helper", "second again"),
    post(500, "ann", "joined", type="system_join_channel"),
    post(4000, "ben", "", attachments=[{"path": "files/plan.pdf"}, {"path": "../../etc/passwd"}]),
    post(5000, "ben", "odd", type="custom_poll", props={"votes": 3}),
    post(6000, "ben", "nowhere") | {"post": post(6000, "ben", "nowhere")["post"] | {"channel": "missing"}},
    {"type": "direct_channel", "direct_channel": {"members": ["ann", "ben"]}},
    {
        "type": "direct_post",
        "direct_post": {"channel_members": ["ben", "ann"], "user": "ben", "message": "psst", "create_at": BEGIN + 10},
    },
    {"type": "direct_channel", "direct_channel": {"participants": [{"username": u} for u in ("ann", "ben", "cy")]}},
    {"type": "something", "something": {}},
    "not an object",
]


def written(path: Path, lines: list[Any] | None = None, **attachments: bytes) -> Path:
    """The export as a zip, with the files of its messages; a double underscore in a name is a slash."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("import.jsonl", "\n".join(json.dumps(line) for line in (LINES if lines is None else lines)) + "\n")
        for name, data in attachments.items():
            out.writestr("data/files/" + name.replace("__", "."), data)
    return path
