"""Files: what they are (SPEC 2.9). Who may do what is in `rules`, the ports in `ports`, the bytes behind `blobs`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, StringConstraints, model_validator
from sqlmodel import Field

from app.domain.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from app.domain.ids import DEFAULT_TENANT, FileId, MessageId, RoomId, TenantId, UserId
from app.domain.text import NAMEABLE, STORABLE
from app.domain.values import Moment, Value

from .blobs import BLOB_KEY_MAX, BlobKey

NAME_MAX = 255
MIME_TYPE_MAX = 100
URL_MAX = 2048
CHECKSUM_LENGTH = 64
SIZE_MAX = 2**63 - 1

FILES_PER_MESSAGE = 20

# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class FileStatus(StrEnum):
    """Whether the bytes are there; a file nobody has finished is `pending`."""

    PENDING = "pending"
    READY = "ready"


_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _file_name(value: str) -> str:
    if "/" in value or "\\" in value:
        raise ValueError("must not contain a path separator")
    if value in (".", ".."):
        raise ValueError("must not be a folder")
    if not _DIRECTIONS.isdisjoint(value):  # `exe.gpj` read backwards is how a program passes for a picture
        raise ValueError("must not contain a mark of writing direction")
    return value


def _lowered(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


_MIME_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")


def _mime_type(value: str) -> str:
    if not _MIME_TYPE.fullmatch(value):
        raise ValueError("must be type/subtype without parameters, as image/png")
    return value


def _url(value: str) -> str:
    if not value.startswith(("https://", "http://")) and (not value.startswith("/") or value.startswith("//")):
        raise ValueError("must be an http or https address, or a path from the site's root")
    if not value.isprintable() or " " in value:
        raise ValueError("must not contain white space or control characters")
    return value


FileName = Annotated[str, StringConstraints(max_length=NAME_MAX), NAMEABLE, AfterValidator(_file_name)]
"""What a file is called: never a path, whatever the sender's system calls one."""

MimeType = Annotated[
    str, BeforeValidator(_lowered), StringConstraints(max_length=MIME_TYPE_MAX), AfterValidator(_mime_type)
]
"""RFC 6838: type and subtype, kept in lower case."""

FileUrl = Annotated[str, StringConstraints(max_length=URL_MAX), STORABLE, AfterValidator(_url)]
"""Where bytes or a picture of them lie that are not ours: shown to people, so nothing a browser would execute."""

Checksum = Annotated[str, StringConstraints(max_length=CHECKSUM_LENGTH, pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 of the bytes, in hexadecimal."""

StorageKey = Annotated[BlobKey, StringConstraints(max_length=BLOB_KEY_MAX)]


class File(Value):
    """A file of a room. Its bytes lie under `storage_key`, or elsewhere at `url` (an imported one).

    Attached to one message at most, and from then on seen by whoever sees the message; before that only by its owner,
    and gone after `expires_at`.
    """

    id: FileId
    tenant_id: TenantId = DEFAULT_TENANT
    room_id: RoomId
    owner_id: UserId | None = None
    message_id: MessageId | None = None
    name: FileName
    mime_type: MimeType
    size: int = Field(ge=0, le=SIZE_MAX)
    url: FileUrl | None = None
    storage_key: StorageKey | None = None
    checksum: Checksum | None = None
    thumbnail_url: FileUrl | None = None
    preview_available: bool = False
    status: FileStatus = FileStatus.PENDING
    expires_at: Moment | None = None
    created_at: Moment
    updated_at: Moment
    deleted_at: Moment | None = None

    @model_validator(mode="after")
    def _has_bytes(self) -> Self:
        if self.status is FileStatus.READY and self.storage_key is None and self.url is None:
            raise ValueError("status: a ready file has bytes or a url")
        return self


class MessageFile(Value):
    """The place of a file in its message, from 1."""

    room_id: RoomId
    message_id: MessageId
    tenant_id: TenantId = DEFAULT_TENANT
    position: int = Field(ge=1, le=FILES_PER_MESSAGE)
    file_id: FileId


class NewFile(Value):
    """A file about to be uploaded: what it is called, what it holds, how many bytes will come."""

    name: FileName
    mime_type: MimeType
    size: int = Field(ge=0, le=SIZE_MAX)


class ImportedFile(Value):
    """A file of an imported message, known by where it lies."""

    name: FileName
    mime_type: MimeType
    size: int = Field(default=0, ge=0, le=SIZE_MAX)
    url: FileUrl
    thumbnail_url: FileUrl | None = None


class FileRename(Value):
    """What a file is to be called instead."""

    name: FileName


@dataclass(frozen=True, slots=True)
class AlteredFile:
    """A file after a change. `dropped` are the blobs nobody needs any more, to be deleted once that is committed."""

    file: File
    dropped: tuple[BlobKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep has taken away: how many files, and the blobs to be deleted once that is committed."""

    files: int
    dropped: tuple[BlobKey, ...] = ()


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What may be uploaded: at most so many bytes, of types that match one of the patterns (`image/*`)."""

    max_bytes: int = 100 * 1024 * 1024
    types: tuple[str, ...] = ("*/*",)

    def check(self, new: NewFile) -> None:
        """Raises `FileTooLarge`, `FileTypeRefused`."""
        if new.size > self.max_bytes:
            raise FileTooLarge(limit=self.max_bytes)
        if not any(fnmatchcase(new.mime_type, pattern) for pattern in self.types):
            raise FileTypeRefused(allowed=list(self.types))


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class FileNotFound(NotFound):
    """There is no such file, it was deleted, or the actor may not see it; before a send, also another's or of another
    room."""

    code = "file_not_found"


class FileNotReady(Conflict):
    """The file's bytes have not been stored yet."""

    code = "file_not_ready"
    remedy = "Finish the upload first."


class FileAlreadyAttached(Conflict):
    """The file stands in another message already."""

    code = "file_already_attached"
    remedy = "Upload it again, or forward the message it stands in."


class FileAlreadyStored(Conflict):
    """Other bytes have been stored for this file."""

    code = "file_already_stored"
    remedy = "Begin a new file."


class FileSizeMismatch(Invalid):
    """More or fewer bytes came than were declared."""

    code = "file_size_mismatch"
    remedy = "Declare the size the file has; nothing was kept of the bytes, and the same file may be written again."


class FileTooLarge(Invalid):
    """The file is larger than CHAT_FILE_MAX_BYTES allows."""

    code = "file_too_large"
    remedy = "Send a smaller file, or raise the setting."


class FileTypeRefused(Invalid):
    """Files of this type are not accepted (CHAT_FILE_TYPES)."""

    code = "file_type_refused"
    remedy = "Send another type, or widen the setting."


class NotTheFilesOwner(Forbidden):
    """Only the owner renames a file; only the owner or a moderator deletes one."""

    code = "not_the_files_owner"
    remedy = "Ask the owner or a moderator."


class FileElsewhere(Conflict):
    """The file was imported and only its address is known: its bytes are not here."""

    code = "file_elsewhere"
    remedy = "Use the file's url."


class FileBytesMissing(Unavailable):
    """The row of the file is there, its bytes are not."""

    code = "file_bytes_missing"
    remedy = "Look at the blob store (CHAT_BLOB_STORE): is it the one the file was written to?"
