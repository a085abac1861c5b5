"""The limits of files, and who may do what with one."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from app.domain.errors import Invalid
from app.domain.files import (
    File,
    FileLimits,
    FileStatus,
    FileTooLarge,
    FileTypeRefused,
    ImportedFile,
    MessageFile,
    NewFile,
)
from app.domain.files.blobs import blob_key, checked_key
from app.domain.ids import DEFAULT_TENANT, FileId, MessageId, RoomId
from app.domain.imports import ImportedMessage
from app.testing import builders

pytestmark = pytest.mark.spec("2.9")

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROOM = RoomId(UUID(int=9))


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (
            "name",
            ["a", "x" * 255, "Übersicht (1).pdf", ".hidden", "...", "相片.png", "a b"],
            [
                "",
                " ",
                "x" * 256,
                "a/b",
                "a\\b",
                "/",
                ".",
                "..",
                "a\0",
                "\ud800",
                "a\nb",
                "\u200b",
                "a\u202egpj.exe",
                "\u2066a",
            ],
        ),
        (
            "mime_type",
            ["image/png", "application/vnd.ms-excel", "x/y", "application/ld+json"],
            [
                "",
                "image",
                "image/",
                "/png",
                "image/png; q=1",
                "a/b/c",
                "image/p ng",
                "ima\0ge/png",
                "x/" + "y" * 99,
                "é/x",
                "-/x",
            ],
        ),
        ("size", [0, 2**63 - 1], [-1, 2**63, 1.5, None, "many"]),
    ],
)
def test_limits_of_an_upload(field: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert getattr(builders.new_file(**{field: value}), field) == value
    for value in bad:
        with pytest.raises(Invalid) as refused:
            builders.new_file(**{field: value})
        assert refused.value.details["field"] == field


def test_a_mime_type_is_kept_in_lower_case() -> None:
    assert builders.new_file(mime_type="Image/PNG").mime_type == "image/png"


@pytest.mark.parametrize("field", ["url", "thumbnail_url"])
def test_an_address_is_nothing_a_browser_would_run(field: str) -> None:
    def made(url: str) -> ImportedFile:
        return ImportedFile(**{"name": "a", "mime_type": "a/b", "url": "/a", field: url})  # type: ignore[arg-type]  # of either field

    for url in ("https://a.example/b?c#d", "http://a", "/uploads/1", "https://a.example/" + "x" * 2030):
        assert getattr(made(url), field) == url
    for url in (
        "", "javascript:alert(1)", "data:text/html,x", "//evil.example", "a/b", "https://a b", "https://a\n", "/\0",
        "https://" + "x" * 2048, "HTTPS://a", "/\ud800", "file:///etc/passwd",
    ):  # fmt: skip
        with pytest.raises(Invalid) as refused:
            made(url)
        assert refused.value.details["field"] == field


def test_a_ready_file_has_bytes_or_an_address() -> None:
    fields: dict[str, Any] = {"id": UUID(int=1), "room_id": ROOM, "name": "a", "mime_type": "a/b", "size": 1}
    pending = File(**fields, created_at=NOW, updated_at=NOW)
    assert pending.status is FileStatus.PENDING
    pending.changed(status="ready", url="/a")
    pending.changed(status="ready", storage_key=blob_key(DEFAULT_TENANT, UUID(int=1)))
    with pytest.raises(Invalid, match="ready file"):
        pending.changed(status="ready")
    for field, bad in (("checksum", "0" * 63), ("checksum", "G" * 64), ("created_at", datetime(2026, 1, 1))):  # noqa: DTZ001 - naive is the point
        with pytest.raises(Invalid) as refused:
            pending.changed(**{field: bad})
        assert refused.value.details["field"] == field


@pytest.mark.parametrize("position", [0, 21])
def test_a_message_has_so_many_files(position: int) -> None:
    with pytest.raises(Invalid):
        MessageFile(room_id=ROOM, message_id=MessageId(UUID(int=1)), file_id=FileId(UUID(int=2)), position=position)


def test_an_imported_message_says_something_or_has_a_file() -> None:
    image = ImportedFile(name="a", mime_type="a/b", url="/a")
    fields: dict[str, Any] = {"user_id": UUID(int=1), "content": ""}
    assert builders.imported(**fields, message_type="image", files=(image,)).files == (image,)
    for wrong in ({}, {"message_type": "image"}, {"files": (image,)}, {"message_type": "file", "files": (image,) * 21}):
        with pytest.raises(Invalid):
            builders.imported(**{**fields, **wrong})
    assert isinstance(builders.imported(user_id=fields["user_id"], files=(image,)), ImportedMessage)


@pytest.mark.parametrize(
    ("types", "mime_type", "is_taken"),
    [
        (("*/*",), "text/html", True),
        (("image/*",), "image/svg+xml", True),
        (("image/*",), "text/html", False),
        (("image/png", "application/*"), "application/pdf", True),
        (("image/png",), "image/pngx", False),
        ((), "image/png", False),
    ],
)
def test_types_that_are_taken(types: tuple[str, ...], mime_type: str, is_taken: bool) -> None:
    new = NewFile(name="a", mime_type=mime_type, size=10)
    limits = FileLimits(max_bytes=10, types=types)
    if is_taken:
        limits.check(new)
        with pytest.raises(FileTooLarge):
            limits.check(new.changed(size=11))
    else:
        with pytest.raises(FileTypeRefused):
            limits.check(new)


def test_a_key_is_made_of_ids_alone() -> None:
    key = blob_key(DEFAULT_TENANT, UUID(int=0xABCD))
    assert key == f"{DEFAULT_TENANT.hex}/cd/{UUID(int=0xABCD).hex}"
    assert checked_key(key) == key
