"""Lines of an export: each is a record or a refusal, never an exception."""

from __future__ import annotations

import gzip
import json
import os
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain import ids
from app.domain.documents import MAX_BYTES
from app.domain.errors import Invalid
from app.domain.identity import AccountType
from app.services.imports import zulip
from app.services.imports.fields import Unreadable
from app.services.imports.lines import LineFile
from app.services.imports.records import Batch, Record, SourceBroken
from app.services.imports.zulip import ZulipJsonl

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATEST = NOW + timedelta(days=1)


def line(**changes: Any) -> dict[str, Any]:
    """A line of the format; a field changed to `...` is left out."""
    fields: dict[str, Any] = {
        "id": 100,
        "room": "kitchen",
        "room_id": 7,
        "thread": "bread",
        "author": "Ada Bread",
        "ts": "2025-03-04T05:06:07Z",
        "text": "<p>The oven is <strong>hot</strong> &amp; ready</p>",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not ...}


def parsed(**changes: Any) -> zulip.Parsed:
    return zulip.parse(json.dumps(line(**changes)).encode(), source="main", not_after=LATEST)


def written(path: Path, *lines: bytes | dict[str, Any]) -> Path:
    path.write_bytes(b"".join((x if isinstance(x, bytes) else json.dumps(x).encode()) + b"\n" for x in lines))
    return path


def batches(path: Path, size: int = 1000, name: str = "main", max_line_bytes: int = 4096) -> list[Batch]:
    with LineFile.open(path, max_line_bytes) as file:
        return list(ZulipJsonl(file, name).batches(size, NOW))


def records(path: Path) -> list[Record]:
    return [record for batch in batches(path) for record in batch.records]


# ── a line ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.spec("3.13")
def test_a_line_becomes_a_message_with_its_text_unchanged_and_its_plain_form_beside_it() -> None:
    found = parsed(reply_to=99, mentions=[{"id": 5, "name": "Bo"}], attachments=[{"path": "/u/1", "name": "x.png"}])
    assert found.text == "<p>The oven is <strong>hot</strong> &amp; ready</p>"
    assert found.created_at == datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert found.metadata == {
        "format": "html",
        "topic": "bread",
        "plain": "The oven is hot & ready",
        "mentions": [{"id": 5, "name": "Bo"}],
        "attachments": [{"path": "/u/1", "name": "x.png"}],
        "source": {
            "format": "zulip-jsonl",
            "name": "main",
            "id": 100,
            "room_id": 7,
            "ts": "2025-03-04T05:06:07Z",
            "reply_to": 99,
        },
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": ...}, "id: is missing"),
        ({"id": None}, "id: is missing"),
        ({"id": "100"}, "id: must be a whole number"),
        ({"id": True}, "id: must be a whole number"),
        ({"id": 1.0}, "id: must be a whole number"),
        ({"id": -1}, "id: must be from 0 to 2**63 - 1"),
        ({"id": 2**63}, "id: must be from 0 to 2**63 - 1"),
        ({"room_id": 10**30}, "room_id: must be from 0 to 2**63 - 1"),
        ({"room": ""}, "room: must contain a visible character"),
        ({"room": "\u200b"}, "room: must contain a visible character"),
        ({"room": "r" * 101}, "room: must be at most 100 characters, has 101"),
        ({"room": "a\x1b[2J"}, "room: must not contain control characters"),
        ({"author": "x" * 256}, "author: must be at most 255 characters, has 256"),
        ({"author": ["Ada"]}, "author: must be text"),
        ({"author": "A\x00da"}, "author: must not contain the NUL character"),
        ({"thread": 5}, "thread: must be text"),
        ({"thread": "t" * 1001}, "thread: must be at most 1000 characters, has 1001"),
        ({"text": ""}, "text: must not be empty"),
        ({"text": "a" * 100_001}, "text: must be at most 100000 characters, has 100001"),
        ({"text": "a\x00"}, "text: must not contain the NUL character"),
        ({"text": "\ud83d"}, "text: must not contain a lone surrogate"),
        ({"ts": 1_700_000_000}, "ts: must be text"),
        ({"ts": "yesterday"}, "ts: must be a time in ISO 8601"),
        ({"ts": "2025-02-30T00:00:00Z"}, "ts: must be a time in ISO 8601"),
        ({"ts": "2025-03-04T05:06:07"}, "ts: must name its time zone"),
        ({"ts": "9999-12-31T23:59:59-23:59"}, "ts: must be a time in ISO 8601"),
        ({"ts": "1999-12-31T23:59:59Z"}, "ts: must be from 2000-01-01 to a day from now"),
        ({"ts": "2026-01-04T00:00:00Z"}, "ts: must be from 2000-01-01 to a day from now"),
        ({"reply_to": "99"}, "reply_to: must be a whole number"),
        ({"mentions": {"id": 1}}, "mentions: must be a list of objects"),
        ({"attachments": ["x"]}, "attachments: must be a list of objects"),
        ({"mentions": [{"name": "\x00"}]}, "metadata: mentions[0].name must not contain the NUL character"),
        ({"mentions": [{"id": 2**64}]}, "metadata: mentions[0].id must fit in 64 bits"),
        ({"mentions": [{"name": "x" * MAX_BYTES}]}, f"metadata: must be at most {MAX_BYTES} bytes of JSON"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_the_field_and_its_limit(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        parsed(**changes)
    assert str(refusal.value) == reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the line is blank"),
        (b" \r", "the line is blank"),
        (b"{", "the line is not JSON: Expecting property name enclosed in double quotes at character 2"),
        (b"[1]", "the line is not a JSON object"),
        (b"\xff{}", "the line is not UTF-8"),
        (b'{"id":1,"id":2}', "a field is given twice"),
        (b'{"id":NaN}', "NaN is not JSON"),
        (b'{"id":' + b"9" * 5000 + b"}", "the line holds a number that is too large"),
        (b'{"id":' + b"[" * 100_000 + b"}", "the JSON is nested too deep"),
    ],
)
def test_what_is_no_json_object_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        zulip.parse(data, source="main", not_after=LATEST)
    assert str(refusal.value) == reason


@given(st.binary(max_size=200))
@example(b'{"a":1e999}')
@example(b"\xef\xbb\xbf{}")
def test_any_bytes_are_a_message_or_a_refusal(data: bytes) -> None:
    with pytest.raises(Unreadable):
        zulip.parse(data, source="main", not_after=LATEST)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
storable = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=300)


@given(
    st.dictionaries(st.sampled_from([*line(), "reply_to", "mentions", "attachments", "extra"]), anything),
    st.booleans(),
)
def test_any_fields_are_a_message_or_a_refusal(changes: dict[str, Any], escaped: bool) -> None:
    data = json.dumps(line(**changes), ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    try:
        found = zulip.parse(data, source="main", not_after=LATEST)
    except Unreadable:
        return
    assert found.text == line(**changes)["text"]
    assert len(found.metadata.text.encode()) <= MAX_BYTES


@given(storable, st.integers(0, 800_000_000_000_000), st.integers(-840, 840))
def test_text_and_time_are_kept_to_the_letter(text: str, microseconds: int, minutes: int) -> None:
    moment = datetime(2000, 1, 2, tzinfo=UTC) + timedelta(microseconds=microseconds)
    given_ts = moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
    found = parsed(text=text, ts=given_ts)
    assert found.text == text
    assert found.created_at == moment
    assert found.metadata["source"]["ts"] == given_ts


def test_fields_we_do_not_know_are_kept_or_left_out_and_never_a_reason_to_refuse() -> None:
    assert parsed(reactions=[{"emoji": "tada"}]).metadata["source"]["other"] == {"reactions": ({"emoji": "tada"},)}
    for unstorable in ("\ud83d", 2**70, "x" * MAX_BYTES, {"\x00": 1}):
        source = parsed(odd=unstorable).metadata["source"]
        assert "other" not in source
        assert source["other_left_out"] is True


@pytest.mark.parametrize("letter", ["x", "é", "😀", "\x01", '"'])
def test_a_plain_form_that_does_not_fit_is_cut_and_says_so(letter: str) -> None:
    found = parsed(text=f"<pre>{letter * 90_000}</pre>")
    assert found.metadata["plain_truncated"] is True
    assert set(found.metadata["plain"]) == {letter}
    assert MAX_BYTES - 12 <= len(found.metadata.text.encode()) <= MAX_BYTES
    assert "plain_truncated" not in parsed(text="short").metadata


# ── a file ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_topic_is_a_thread_of_its_first_message_in_its_room(tmp_path: Path) -> None:
    found = records(
        written(
            tmp_path / "x",
            line(id=1),
            line(id=2),
            line(id=3, room_id=8, room="garden"),
            line(id=4, thread="cake"),
            line(id=5, room_id=8, room="garden"),
        )
    )
    assert [(record.key, record.thread_key) for record in found] == [
        ("zulip:1", None),
        ("zulip:2", "zulip:1"),
        ("zulip:3", None),
        ("zulip:4", None),
        ("zulip:5", "zulip:3"),
    ]


def test_a_refused_first_message_leaves_the_thread_to_the_next(tmp_path: Path) -> None:
    found = records(written(tmp_path / "x", line(id=1, text=""), line(id=2), line(id=3)))
    assert [(record.key, record.thread_key) for record in found] == [
        ("zulip:2", None),
        ("zulip:3", "zulip:2"),
    ]


def test_only_an_earlier_message_is_a_reply_target(tmp_path: Path) -> None:
    found = records(
        written(tmp_path / "x", line(id=5, reply_to=4), line(id=6, reply_to=6), line(id=7, reply_to=8), line(id=8))
    )
    assert [record.reply_to_key for record in found] == ["zulip:4", None, None, None]
    assert found[2].metadata["source"]["reply_to"] == 8


def test_ids_follow_time_then_the_sources_order_and_are_the_same_every_time(tmp_path: Path) -> None:
    lines = [line(id=2**62), line(id=2**62 + 1), line(id=3, ts="2025-03-04T05:06:08Z")]
    found = records(written(tmp_path / "x", *lines))
    assert [record.id for record in found] == sorted(record.id for record in found)
    assert [record.id for record in records(tmp_path / "x")] == [record.id for record in found]
    assert [ids.moment_of(record.id) for record in found] == [record.created_at for record in found]
    elsewhere = records(written(tmp_path / "y", line(id=2**62, room_id=8)))
    assert elsewhere[0].id != found[0].id


def test_keys_tell_servers_rooms_and_authors_apart(tmp_path: Path) -> None:
    long_name = "N" * 255
    path = written(tmp_path / "x", line(), line(id=101, author=long_name), line(id=102, author="GitHub"))
    first, second, third = records(path)
    assert (first.room.key, first.author.key) == ("zulip:main:7", "zulip:main:author:Ada Bread")
    assert len(second.author.key) <= 128
    assert second.author.name == long_name
    assert [r.author.account_type for r in (first, second, third)] == [
        AccountType.MEMBER,
        AccountType.MEMBER,
        AccountType.ROBOT,
    ]
    other = batches(path, name="s" * 40)[0].records
    assert not {first.room.key, first.author.key} & {other[0].room.key, other[0].author.key}
    assert all(len(record.author.key) <= 128 for record in other)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "é", "x" * 41, "a\n"])
def test_a_source_name_that_could_blur_keys_is_refused(tmp_path: Path, name: str) -> None:
    with LineFile.open(written(tmp_path / "x")) as file, pytest.raises(Invalid, match="source"):
        ZulipJsonl(file, name)


@given(
    st.lists(
        st.sampled_from([line(), b"{", b"", b"x" * 5000, line(text="x" * 3900), "\u2028\x85\x0b\x1c".encode(), b"\r"]),
        max_size=12,
    ),
    st.integers(1, 5),
    st.booleans(),
)
def test_every_line_is_counted_once_whatever_is_in_it(
    tmp_path_factory: pytest.TempPathFactory, lines: list[Any], size: int, compressed: bool
) -> None:
    path = written(tmp_path_factory.mktemp("lines") / "x", *lines)
    if compressed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    found = batches(path, size)
    assert sum(batch.lines for batch in found) == len(lines)
    assert all(batch.lines == len(batch.records) + len(batch.refusals) <= size for batch in found)
    numbers = [record.line for batch in found for record in batch.records]
    numbers += [refusal.line for batch in found for refusal in batch.refusals]
    assert sorted(numbers) == list(range(1, len(lines) + 1))
    assert not found or found[-1].bytes_read == path.stat().st_size


def test_an_over_long_line_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    path = written(tmp_path / "x", b'{"id":' + b"1" * 100_000, line())
    (batch,) = batches(path)
    assert [r.reason for r in batch.refusals] == ["the line is longer than 4096 bytes"]
    assert [r.line for r in batch.records] == [2]


def test_a_long_line_at_the_very_end_and_a_line_without_its_end_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "x", line())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"y" * 5000)
    (batch,) = batches(path)
    assert (len(batch.records), len(batch.refusals)) == (1, 1)
    path.write_bytes(json.dumps(line()).encode())
    (batch,) = batches(path)
    assert len(batch.records) == 1


@pytest.mark.parametrize("damage", ["cut", "flipped", "trailing"])
def test_a_broken_archive_gives_what_is_readable_and_then_one_error(tmp_path: Path, damage: str) -> None:
    lines = [line(id=n, text=f"<p>{n * 7919}</p>") for n in range(1, 6000)]
    path = written(tmp_path / "x.gz", *lines)
    whole = gzip.compress(path.read_bytes(), mtime=0)
    at = len(whole) * 9 // 10
    broken = {
        "cut": whole[:at],
        "flipped": whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :],
        "trailing": whole + b"not a gzip member",
    }[damage]
    path.write_bytes(broken)
    found: list[Batch] = []
    with LineFile.open(path) as file, pytest.raises(SourceBroken, match="cannot be read beyond line") as error:
        found.extend(ZulipJsonl(file, "main").batches(1000, NOW))
    assert sum(batch.lines for batch in found) == error.value.details["line"]
    assert found
    if damage != "flipped":  # only the checksum, at the end, tells that a byte was changed
        assert not any(batch.refusals for batch in found)


def test_a_file_that_cannot_be_opened_is_one_typed_error(tmp_path: Path) -> None:
    with pytest.raises(SourceBroken, match="No such file"):
        LineFile.open(tmp_path / "nothing")


def test_a_pipe_is_read_though_nobody_knows_its_length(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(gzip.compress(json.dumps(line()).encode()),))
    writer.start()
    with LineFile.open(pipe) as file:
        assert file.bytes_total is None
        assert [batch.lines for batch in ZulipJsonl(file, "main").batches(10, NOW)] == [1]
    writer.join()
