"""Files: begun, finished, sent, copied, taken away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from app.domain.files import AlteredFile, File, ImportedFile, NewFile, Swept
from app.domain.files.blobs import BlobKey, blob_key
from app.domain.ids import RoomId
from app.domain.messaging import Draft, Sent
from app.domain.pages import Page
from app.domain.unit_of_work import Once, Reader, UnitOfWork
from app.testing import builders
from app.testing.sides import Act, Side
from app.testing.steps import BACK, ROOM, WHERE, WHO, Aim, Look, Steps, unblocked

NAMES = st.sampled_from(["a.png", "b.pdf", "a/b", "x\u202e"])
LIFETIMES = st.sampled_from([timedelta(0), timedelta(hours=1), timedelta(days=30)])
CHECKSUMS = st.sampled_from(["0" * 64, "0" * 64, "1" * 64])


def begin(room_id: RoomId, name: str, lifetime: timedelta) -> Act:
    async def act(side: Side, verbs: Once) -> File:
        new = NewFile(name=name, mime_type="image/png", size=5)
        return await verbs.files.begin(room_id, new, lifetime)

    return act


def finish(back: int, key: BlobKey, checksum: str) -> Act:
    async def act(side: Side, verbs: Once) -> File:
        return await verbs.files.finish(side.file(back), key, checksum)

    return act


def upload(room_id: RoomId, key: BlobKey) -> Act:
    """Begun and finished in one unit: without it few files are ever ready."""

    async def act(side: Side, uow: UnitOfWork) -> File:
        file = await uow.files.begin(room_id, builders.new_file(), builders.LIFETIME)
        return await uow.files.finish(file.id, key, "0" * 64)

    return act


def send(room_id: RoomId, fields: dict[str, Any], backs: list[int]) -> Act:
    async def act(side: Side, verbs: Once) -> Sent:
        file_ids = tuple(dict.fromkeys(side.file(back) for back in backs))
        return await verbs.messages.send(room_id, Draft(**fields, file_ids=file_ids))

    return act


def rename(back: int, name: str) -> Act:
    async def act(side: Side, verbs: Once) -> File:
        return await verbs.files.rename(side.file(back), name)

    return act


def delete(back: int) -> Act:
    async def act(side: Side, verbs: Once) -> AlteredFile:
        return await verbs.files.delete(side.file(back))

    return act


def copy(backs: list[int], room_id: RoomId) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> tuple[File, ...]:
        return await uow.files.copy(tuple(side.file(back) for back in backs), room_id, builders.LIFETIME)

    return act


def drop_by_message(room_id: RoomId, back: int) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Swept:
        return await uow.files.drop_by_message(room_id, side.message(back))

    return act


def expire(limit: int) -> Act:
    async def act(side: Side, verbs: Once) -> Swept:
        return await verbs.files.expire(limit)

    return act


def take_in(room_id: RoomId, user_id: Any, files: tuple[ImportedFile, ...]) -> Act:
    message = builders.imported(user_id, content="", message_type="image", files=files)

    async def act(side: Side, uow: UnitOfWork) -> Any:
        return await uow.imports.take_in(room_id, (message,))

    return act


async def _of_room(side: Side, reader: Reader, aim: Aim) -> Page[File]:
    name = f"files of {aim.room_id}"
    cursor = side.cursor(name, "after") if aim.side else None
    page = await reader.files.find_by_room(aim.room_id, cursor, aim.limit)
    side.keep(name, page)
    return page


async def _of_owner(side: Side, reader: Reader, aim: Aim) -> Page[File]:
    name = f"files by {aim.user_id}"
    cursor = side.cursor(name, "after") if aim.side else None
    page = await reader.files.find_by_owner(aim.user_id, cursor, aim.limit)
    side.keep(name, page)
    return page


async def _of_messages(side: Side, reader: Reader, aim: Aim) -> tuple[File, ...]:
    backs = (aim.back, aim.back + 1, 0)
    return await reader.files.find_by_messages(aim.room_id, tuple(side.message(back) for back in backs))


async def _unreferenced(side: Side, reader: Reader, aim: Aim) -> tuple[BlobKey, ...]:
    return await reader.files.unreferenced(tuple(side.kept.get("blobs", ())))


LOOKS: dict[str, Look] = {
    "find file": lambda s, r, a: r.files.find(s.file(a.back)),
    "find files by messages": _of_messages,
    "find files by room": _of_room,
    "find files by owner": _of_owner,
    "unreferenced": _unreferenced,
}


class Files(Steps):
    """People bring files along."""

    def _blob(self) -> BlobKey:
        """The same on both sides: no store looks into it."""
        key = blob_key(self.tenant.id, builders.new_id())
        for side in self.sides:
            side.kept.setdefault("blobs", []).append(key)
        return key

    @unblocked(where=WHERE, who=WHO, room=ROOM, name=NAMES, lifetime=LIFETIMES)
    def begin_file(self, where: int | None, who: int, room: int, name: str, lifetime: timedelta) -> None:
        self._do(where, who, begin(self._room(room), name, lifetime), alone="once")

    @unblocked(where=WHERE, who=WHO, back=BACK, checksum=CHECKSUMS)
    def finish_file(self, where: int | None, who: int, back: int, checksum: str) -> None:
        self._do(where, self._owner_or(who, back), finish(back, self._blob(), checksum), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM)
    def upload_file(self, where: int | None, who: int, room: int) -> None:
        self._do(where, who, upload(self._room(room), self._blob()), alone="unit")

    @unblocked(where=WHERE, who=WHO, room=ROOM, backs=st.lists(BACK, min_size=1, max_size=3), words=st.booleans())
    def send_files(self, where: int | None, who: int, room: int, backs: list[int], words: bool) -> None:
        seen = self.sides[0].seen_file(backs[0])
        room_id = self._room(room) if seen is None or room > 2 else seen.room_id
        fields = {
            "content": "see" if words else "",
            "message_type": "image",
            "client_key": str(builders.new_id()),
        }
        self._do(where, self._owner_or(who, backs[0]), send(room_id, fields, backs), alone="once")

    @unblocked(where=WHERE, who=WHO, back=BACK, name=NAMES)
    def rename_file(self, where: int | None, who: int, back: int, name: str) -> None:
        self._do(where, self._owner_or(who, back), rename(back, name), alone="once")

    @unblocked(where=WHERE, who=WHO, back=BACK)
    def delete_file(self, where: int | None, who: int, back: int) -> None:
        self._do(where, who, delete(back), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM, backs=st.lists(BACK, min_size=1, max_size=2))
    def copy_files(self, where: int | None, who: int, room: int, backs: list[int]) -> None:
        self._do(where, who, copy(backs, self._room(room)), alone="unit")

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK)
    def drop_files_of_message(self, where: int | None, who: int, room: int, back: int) -> None:
        who, room_id = self._aimed(who, room, back)
        self._do(where, who, drop_by_message(room_id, back), alone="unit")

    @unblocked(where=WHERE, limit=st.sampled_from([1, 2, 10]))
    def expire_files(self, where: int | None, limit: int) -> None:
        self._do(where, 5, expire(limit), alone="once")

    @unblocked(where=WHERE, room=ROOM, who=st.integers(0, 3), number=st.integers(0, 2))
    def take_in_files(self, where: int | None, room: int, who: int, number: int) -> None:
        files = tuple(ImportedFile(name=f"{n}", mime_type="image/png", url=f"/{n}") for n in range(1, number + 2))
        self._do(where, 5, take_in(self._room(room), self._user(who), files), alone="unit")

    def _owner_or(self, who: int, back: int) -> int:
        """Mostly whose file it is: others are refused."""
        seen = self.sides[0].seen_file(back)
        owners = [n for n, person in enumerate(self.people) if seen is not None and person.user_id == seen.owner_id]
        return owners[0] if owners and who != 1 else who
