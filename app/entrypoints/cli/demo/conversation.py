"""A generated conversation as JSON lines of Zulip's format, so that it goes in through the importer like a real one."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

from app.entrypoints.cli.demo.script import BOT, PEOPLE, TALKS, WORDS, Talk

_FIRST_DAY = datetime(2025, 1, 13, tzinfo=UTC)  # a Monday
_DAYS = 90
_FIRST_ID = 410_000_000
_FIRST_ROOM = 9001
_CODE = re.compile(r"```\n(.*?)\n```", re.DOTALL)
_PLACE = re.compile(r"\{(\w+)\}")
_EMOJI = re.compile(r":([a-z_]+):")


def conversation(seed: int) -> bytes:
    """The lines, in the order they were written. The same seed gives the same bytes, on every machine."""
    chance = random.Random(seed)  # noqa: S311 - this is for show, nothing is kept secret by it
    turns = [turn for talk in TALKS for words in _words(talk, chance) for turn in _held(talk, words, chance)]
    turns.sort(key=lambda turn: turn["ts"])
    numbers: dict[int, int] = {}
    lines: list[str] = []
    for number, turn in enumerate(turns, _FIRST_ID):
        numbers[turn.pop("turn")] = number
        quoted = turn.pop("quoted")
        line = {"id": number, **turn}
        if quoted is not None:  # a quoted turn was written earlier, so its number is known
            line["reply_to"] = numbers[quoted["turn"]]
            line["text"] = _quote(quoted, line["reply_to"]) + line["text"]
        lines.append(json.dumps(line, ensure_ascii=False))
    return "\n".join(lines).encode()


def _words(talk: Talk, chance: random.Random) -> Iterator[dict[str, str]]:
    """For each time a talk is held, words of its own: two talks about one thing would be one talk."""
    drawn = {name: chance.sample(choices, talk.repeat) for name, choices in WORDS.items()}
    return ({name: choices[nth] for name, choices in drawn.items()} for nth in range(talk.repeat))


def _held(talk: Talk, words: dict[str, str], chance: random.Random) -> Iterator[dict[str, Any]]:
    """A talk as it took place once: by these people, with these words, on that day."""
    rooms = sorted({other.room for other in TALKS})
    # The same people meet in a room, in changing parts; a room everyone reads has everyone.
    regulars = list(PEOPLE) if talk.room in ("general", "random") else _regulars(talk.room)
    cast = dict(zip("ABCD", chance.sample(regulars, 4), strict=True)) | {"Z": BOT}
    moment = _working_hour(talk.day, chance)
    said: list[dict[str, Any]] = []
    for mark, sentence in talk.turns:
        speaker, _, quoted = mark.partition(">")
        text = _PLACE.sub(lambda place: words[place[1]], sentence)
        turn: dict[str, Any] = {
            "room": talk.room,
            "room_id": _FIRST_ROOM + rooms.index(talk.room),
            "thread": _PLACE.sub(lambda place: words[place[1]], talk.topic),
            "author": cast[speaker],
            "ts": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "text": _html(text[0].upper() + text[1:], cast),
        }
        mentioned = [cast[letter] for letter in re.findall(r"@([A-D])\b", text)]
        if mentioned:
            turn["mentions"] = [{"id": PEOPLE.index(name) + 1, "name": name} for name in mentioned]
        turn["turn"] = chance.getrandbits(63)
        turn["quoted"] = said[int(quoted) - 1] if quoted else None
        said.append(dict(turn))
        yield turn
        moment += timedelta(seconds=chance.randint(20, 60) + len(text) * chance.randint(1, 12))


def _regulars(room: str) -> list[str]:
    shared = random.Random(room)  # noqa: S311 - the same people for the same room, whatever the seed
    return shared.sample(PEOPLE, 6)


def _working_hour(day: int | None, chance: random.Random) -> datetime:
    date = _FIRST_DAY + timedelta(days=chance.randrange(1, _DAYS) if day is None else day)
    weekday = date - timedelta(days=max(0, date.weekday() - 4))
    return weekday + timedelta(seconds=chance.randint(8 * 3600, 16 * 3600))


def _html(text: str, cast: dict[str, str]) -> str:
    """Rendered as the source's server would."""
    before, *rest = _CODE.split(escape(text, quote=False))
    inline = re.sub(r"`([^`]+)`", r"<code>\1</code>", before.strip())
    inline = re.sub(r"_(“[^_]+”)_", r"<em>\1</em>", inline)
    inline = _EMOJI.sub(r'<span aria-label="\1" class="emoji" role="img" title="\1">:\1:</span>', inline)
    inline = re.sub(r"@([A-D])\b", lambda mark: _mention(cast[mark[1]]), inline)
    block = f'\n<div class="codehilite"><pre><span></span><code>{rest[0]}\n</code></pre></div>' if rest else ""
    return f"<p>{inline}</p>{block}"


def _mention(name: str, mark: str = "@", silent: str = "") -> str:
    number = PEOPLE.index(name) + 1
    return f'<span class="user-mention{silent}" data-user-id="{number}">{mark}{escape(name)}</span>'


def _quote(turn: dict[str, Any], number: int) -> str:
    who = _mention(turn["author"], mark="", silent=" silent")
    return f'<p>{who} <a href="#narrow/near/{number}">said</a>:</p>\n<blockquote>\n{turn["text"]}\n</blockquote>\n'
