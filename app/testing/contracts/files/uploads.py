"""The contract of beginning, finishing and sending files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.domain.actors import Actor
from app.domain.errors import ChatError
from app.domain.files import (
    File,
    FileAlreadyAttached,
    FileAlreadyStored,
    FileNotFound,
    FileNotReady,
    FileStatus,
    ImportedFile,
)
from app.domain.files.blobs import blob_key
from app.domain.identity import AccountInactive, AccountStatus
from app.domain.ids import FileId, RoomId
from app.domain.messaging import ClientKeyReused, MessageType, Sent, Silenced
from app.domain.rooms import RoomNotActive, RoomNotFound, RoomStatus
from app.domain.rooms.members import MembershipStatus, NotAMember, Role
from app.testing import builders
from app.testing.contracts.base import Contract, blocked, forms, released
from app.testing.world import NO_FILE, NO_ROOM, Form, World, user_of

Spoil = Callable[[World, RoomId, Actor], Awaitable[Any]]

REFUSED: dict[str, tuple[type[ChatError], Spoil]] = {
    "the room is deleted": (
        RoomNotFound,
        lambda w, r, a: w.change_room(r, deleted_at=w.harness.clock()),
    ),
    "the room is closed": (RoomNotActive, lambda w, r, a: w.change_room(r, status=RoomStatus.CLOSED)),
    "the uploader left": (NotAMember, lambda w, r, a: w.leave(r, a)),
    "the uploader was banned": (NotAMember, lambda w, r, a: w.leave(r, a, MembershipStatus.BANNED)),
    "the account is suspended": (
        AccountInactive,
        lambda w, r, a: w.change_account(a, account_status=AccountStatus.SUSPENDED),
    ),
    "the uploader is muted": (
        Silenced,
        lambda w, r, a: w.change_membership(r, a, status=MembershipStatus.MUTED),
    ),
    "the uploader may not send": (Silenced, lambda w, r, a: w.change_membership(r, a, can_send_messages=False)),
    "the uploader watches": (Silenced, lambda w, r, a: w.change_membership(r, a, role=Role.OBSERVER)),
}


async def all_files_of(world: World, actor: Actor) -> tuple[File, ...]:
    return (await world.reader().files.find_by_owner(user_of(actor), None, 200)).items


@pytest.mark.spec("2.9", "3.9")
class UploadsContract(Contract):
    """A file from its beginning to the message that takes it."""

    # ── begin and finish ──────────────────────────────────────────────────────────────────────────────────────────

    @forms
    async def test_a_begun_file_is_its_owners_alone(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        before = await world.snapshot(room_id)
        at = world.harness.clock.advance()
        new = builders.new_file(name="Übersicht 2026.pdf", mime_type="Application/PDF", size=2**40)
        file = await world.perform(form, ann, lambda v: v.files.begin(room_id, new, builders.LIFETIME))
        assert file == File(
            id=file.id,
            tenant_id=world.tenant.id,
            room_id=room_id,
            owner_id=user_of(ann),
            name="Übersicht 2026.pdf",
            mime_type="application/pdf",
            size=2**40,
            expires_at=at + builders.LIFETIME,
            created_at=at,
            updated_at=at,
        )
        assert file.status is FileStatus.PENDING
        for reader in (ann, world.system):
            assert await world.reader(reader).files.find(file.id) == file
        with pytest.raises(FileNotFound):
            await world.reader(bob).files.find(file.id)
        assert await world.snapshot(room_id) == before, "a file alone is nothing in a room"

    @forms
    @pytest.mark.parametrize("why", REFUSED)
    async def test_who_may_not_send_does_not_upload(self, world: World, form: Form, why: str) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(bob, ann)
        refusal, spoil = REFUSED[why]
        await spoil(world, room_id, ann)
        with pytest.raises(refusal):
            await world.perform(form, ann, lambda v: v.files.begin(room_id, builders.new_file(), builders.LIFETIME))
        assert await all_files_of(world, ann) == ()

    @forms
    async def test_an_unknown_room_and_another_tenants_take_no_file(self, world: World, form: Form) -> None:
        ann, other = await world.person(), await World.new(world.harness)
        for room_id in (NO_ROOM, await other.room(await other.person())):
            for actor in (ann, world.system):
                with pytest.raises(RoomNotFound):
                    await world.perform(
                        form,
                        actor,
                        lambda v, r=room_id: v.files.begin(r, builders.new_file(), builders.LIFETIME),  # type: ignore[misc]  # a default binds the loop's value
                    )

    @forms
    async def test_a_finished_file_is_ready(self, world: World, form: Form) -> None:
        ann = await world.person()
        file = await world.file(ann, await world.room(ann), is_ready=False)
        key = blob_key(world.tenant.id, builders.new_id())
        world.harness.clock.advance()
        ready = await world.perform(form, ann, lambda v: v.files.finish(file.id, key, builders.CHECKSUM))
        assert ready == file.changed(status=FileStatus.READY, storage_key=key, checksum=builders.CHECKSUM)
        again = await world.perform(
            form,
            ann,
            lambda v: v.files.finish(file.id, blob_key(world.tenant.id, builders.new_id()), builders.CHECKSUM),
        )
        assert again == ready, "the same bytes once more change nothing, the key neither"
        with pytest.raises(FileAlreadyStored):
            await world.perform(form, ann, lambda v: v.files.finish(file.id, key, "1" * 64))
        assert await world.reader(ann).files.find(file.id) == ready

    @forms
    async def test_only_its_owner_finishes_a_file(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        file = await world.file(ann, room_id, is_ready=False)
        gone = await world.file(ann, room_id, is_ready=False)
        await world.once(ann).files.delete(gone.id)
        foreign = await World.new(world.harness)
        key = blob_key(world.tenant.id, builders.new_id())
        for actor, file_id in (
            (bob, file.id),
            (world.system, file.id),
            (foreign.system, file.id),
            (Actor(user_id=ann.user_id, tenant_id=foreign.tenant.id), file.id),
            (ann, gone.id),
            (ann, NO_FILE),
        ):
            with pytest.raises(FileNotFound):
                await world.perform(form, actor, lambda v, f=file_id: v.files.finish(f, key, builders.CHECKSUM))  # type: ignore[misc]  # a default binds the loop's value
        assert await world.reader(ann).files.find(file.id) == file

    @forms
    async def test_a_barred_account_finishes_no_file(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        files = [await world.file(ann, room_id, is_ready=is_ready) for is_ready in (False, True)]
        await world.change_account(ann, account_status=AccountStatus.SUSPENDED)
        key = blob_key(world.tenant.id, builders.new_id())
        for file in files:
            with pytest.raises(AccountInactive):
                await world.perform(form, ann, lambda v, f=file.id: v.files.finish(f, key, builders.CHECKSUM))  # type: ignore[misc]  # a default binds the loop's value
            assert await world.reader(ann).files.find(file.id) == file

    # ── sends ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @forms
    async def test_a_send_takes_its_files_along_in_their_order(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        files = [await world.file(ann, room_id, name=f"{n}.png") for n in range(4)]
        order = [files[n] for n in (2, 0, 3)]
        events = len(await world.events(room_id))
        draft = builders.draft("", message_type=MessageType.IMAGE, file_ids=[file.id for file in order])
        world.harness.clock.advance()
        sent = (await world.perform(form, ann, lambda v: v.messages.send(room_id, draft))).message
        assert len(await world.events(room_id)) == events + 1
        expected = tuple(file.changed(message_id=sent.id, expires_at=None) for file in order)
        for reader in (ann, bob, world.system):
            assert await world.reader(reader).files.find_by_messages(room_id, (sent.id,)) == expected
            assert await world.reader(reader).files.find(order[0].id) == expected[0]
        with pytest.raises(FileNotFound):
            await world.reader(bob).files.find(files[1].id)
        await world.prove(room_id)

    @forms
    async def test_a_repeated_send_is_recognised_by_its_files_too(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        one, other = await world.file(ann, room_id), await world.file(ann, room_id)
        draft = builders.draft("see", file_ids=(one.id,))
        first = await world.perform(form, ann, lambda v: v.messages.send(room_id, draft))
        again = await world.perform(form, ann, lambda v: v.messages.send(room_id, draft))
        assert (again.message, again.repeated) == (first.message, True)
        for file_ids in ((), (other.id,), (one.id, other.id)):
            with pytest.raises(ClientKeyReused):
                await world.perform(
                    form,
                    ann,
                    lambda v, f=file_ids: v.messages.send(room_id, draft.changed(file_ids=f)),  # type: ignore[misc]  # a default binds the loop's value
                )
        assert (await world.reader(ann).files.find(other.id)).message_id is None

    async def test_a_refused_send_leaves_every_file_free(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        free, taken = await world.file(ann, room_id), await world.file(ann, room_id)
        await world.send(ann, room_id, file_ids=(taken.id,))
        for files, refusal in (
            ((free.id, taken.id), FileAlreadyAttached),
            ((free.id, NO_FILE), FileNotFound),
            ((free.id, (await world.file(ann, room_id, is_ready=False)).id), FileNotReady),
        ):
            with pytest.raises(refusal):
                await world.send(ann, room_id, file_ids=files)
        assert await world.reader(ann).files.find(free.id) == free
        await world.send(ann, room_id, file_ids=(free.id,))

    async def test_an_undone_send_leaves_the_file_free(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        file = await world.file(ann, room_id)
        async with world.unit(ann) as uow:
            sent = await uow.messages.send(room_id, builders.draft(file_ids=(file.id,)))
            assert [f.id for f in await uow.files.find_by_messages(room_id, (sent.message.id,))] == [file.id]
        assert await world.reader(ann).files.find(file.id) == file

    async def test_of_many_sends_of_one_file_one_wins(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        file = await world.file(ann, room_id)
        results = await asyncio.gather(
            *(world.once(ann).messages.send(room_id, builders.draft(file_ids=(file.id,))) for _ in range(8)),
            return_exceptions=True,
        )
        (won,) = [result for result in results if isinstance(result, Sent)]
        assert sum(isinstance(result, FileAlreadyAttached) for result in results) == 7
        assert (await world.reader(ann).files.find(file.id)).message_id == won.message.id
        assert await world.history(room_id) == [won.message]

    @pytest.mark.parametrize("commits", [True, False])
    async def test_a_send_waits_for_one_who_deletes_its_file(self, world: World, commits: bool) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        file = await world.file(ann, room_id)
        async with world.unit(ann) as uow:
            await uow.files.delete(file.id)
            sending = await blocked(
                world.harness, world.once(ann).messages.send(room_id, builders.draft(file_ids=(file.id,)))
            )
            if commits:
                await uow.commit()
        if commits:
            with pytest.raises(FileNotFound):
                await released(world.harness, sending)
        else:
            assert (await released(world.harness, sending)).repeated is False

    # ── imports ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def test_imported_files_are_known_by_their_address(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(bob)
        image = ImportedFile(name="cat.gif", mime_type="image/gif", size=7, url="https://old.example/cat.gif")
        other = ImportedFile(name="dog.gif", mime_type="image/gif", url="/dog.gif", thumbnail_url="/dog.small.gif")
        batch = (
            builders.imported(user_of(ann), content="words"),
            builders.imported(user_of(ann), content="", message_type=MessageType.IMAGE, files=(image, other)),
            builders.imported(user_of(bob), content="a file too", files=(image,)),
        )
        for _ in range(2):  # a repeat adds nothing
            async with world.unit() as uow:
                await uow.imports.take_in(room_id, batch)
                await uow.commit()
        _, second, third = await world.history(room_id, bob)
        assert (second.content, second.message_type) == ("", MessageType.IMAGE)
        files = await world.reader(bob).files.find_by_messages(room_id, (second.id, third.id))
        assert [(f.name, f.url, f.size, f.message_id, f.owner_id) for f in files] == [
            ("cat.gif", "https://old.example/cat.gif", 7, second.id, user_of(ann)),
            ("dog.gif", "/dog.gif", 0, second.id, user_of(ann)),
            ("cat.gif", "https://old.example/cat.gif", 7, third.id, user_of(bob)),
        ]
        assert files[1].thumbnail_url == "/dog.small.gif"
        assert {(f.status, f.storage_key, f.expires_at) for f in files} == {(FileStatus.READY, None, None)}
        assert {f.created_at for f in files} == {batch[1].created_at}
        assert len(await all_files_of(world, ann)) == 2

    # ── what was stored comes back ────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("size", [0, 1, 2**31, 2**63 - 1])
    async def test_sizes_come_back(self, world: World, size: int) -> None:
        ann = await world.person()
        file = await world.file(ann, await world.room(ann), size=size, name="x" * 255)
        assert (await world.reader(ann).files.find(FileId(file.id))).size == size
