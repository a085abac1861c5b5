"""The contract of renaming, deleting, copying and expiring files."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.access import Permission, can
from app.domain.actors import Actor
from app.domain.errors import ChatError, Invalid
from app.domain.events import EventKind
from app.domain.files import AlteredFile, File, FileNotFound, FileNotReady, FileStatus, NotTheFilesOwner, Swept
from app.domain.files.blobs import BlobKey
from app.domain.identity import AccountInactive, AccountStatus, AccountType
from app.domain.messaging import Silenced
from app.domain.rooms import RoomNotActive, RoomNotFound, RoomStatus
from app.domain.rooms.members import NotAMember, Role
from app.testing import builders
from app.testing.contracts.access import give, make_role
from app.testing.contracts.base import Contract, blocked, forms, goes_through, released
from app.testing.world import NO_FILE, NO_ROOM, Form, World, user_of

WHO: dict[
    str, tuple[type[ChatError] | None, type[ChatError] | None, type[ChatError] | None, type[ChatError] | None]
] = {
    # rename and delete before a message has it, rename and delete afterwards
    "owner": (None, None, None, None),
    "member": (FileNotFound, FileNotFound, NotTheFilesOwner, NotTheFilesOwner),
    "guest": (FileNotFound, FileNotFound, NotTheFilesOwner, NotTheFilesOwner),
    "moderator": (FileNotFound, FileNotFound, NotTheFilesOwner, None),
    "admin": (FileNotFound, FileNotFound, NotTheFilesOwner, None),
    "outsider": (FileNotFound, FileNotFound, FileNotFound, FileNotFound),
    "application": (None, None, None, None),
    "another tenant": (FileNotFound, FileNotFound, FileNotFound, FileNotFound),
}
CASES = [
    (who, is_attached, is_deletion) for who in WHO for is_attached in (False, True) for is_deletion in (False, True)
]


def _key(file: File) -> BlobKey:
    assert file.storage_key is not None
    return file.storage_key


@pytest.mark.spec("2.9", "3.9")
class FilesTakenAwayContract(Contract):
    """Changing files, and the ways they go."""

    @forms
    @pytest.mark.parametrize(("who", "is_attached", "is_deletion"), CASES)
    async def test_who_renames_and_deletes(
        self, world: World, form: Form, who: str, is_attached: bool, is_deletion: bool
    ) -> None:
        owner, other = await world.persons(2)
        room_id = await world.room(owner, other)
        actor = {"owner": owner, "application": world.system, "outsider": await world.person()}.get(who, other)
        if who == "another tenant":
            actor = (await World.new(world.harness)).system
        if who in ("guest", "moderator", "admin"):
            await world.change_membership(room_id, other, role=Role(who))
        file = await world.file(owner, room_id)
        if is_attached:
            message = await world.send(owner, room_id, file_ids=(file.id,))
            file = file.changed(message_id=message.id, expires_at=None)
        before = await world.snapshot(room_id)
        at = world.harness.clock.advance()

        async def act() -> AlteredFile:
            if is_deletion:
                return await world.perform(form, actor, lambda v: v.files.delete(file.id))
            return AlteredFile(await world.perform(form, actor, lambda v: v.files.rename(file.id, "new name")))

        refusal = WHO[who][2 * is_attached + is_deletion]
        if refusal is not None:
            with pytest.raises(refusal):
                await act()
            assert await world.snapshot(room_id) == before
            assert await world.reader().files.find(file.id) == file
            return
        altered = await act()
        if is_deletion:
            assert altered == AlteredFile(file.changed(deleted_at=at, updated_at=at), (_key(file),))
            with pytest.raises(FileNotFound):
                await world.reader().files.find(file.id)
        else:
            assert altered.file == file.changed(name="new name", updated_at=at)
            assert await world.reader().files.find(file.id) == altered.file
        kind = EventKind.FILE_DELETED if is_deletion else EventKind.FILE_RENAMED
        new = [(e.kind, e.message_id, e.actor_id) for e in (await world.events(room_id))[len(before.events) :]]
        assert new == ([(kind, file.message_id, actor.user_id)] if is_attached else [])
        await world.prove(room_id)

    @forms
    @pytest.mark.parametrize("role", Role)
    @pytest.mark.parametrize("kind", AccountType)
    async def test_another_s_file_is_deleted_by_the_decision(
        self, world: World, form: Form, kind: AccountType, role: Role
    ) -> None:
        delete_any = await make_role(world, Permission.DELETE_ANY_FILE.value)
        for lets_guests_in in (True, False):
            ann, bob = await world.person(account_type=kind), await world.person()
            room_id = await world.room(bob, guest_access_allowed=lets_guests_in)
            await world.join(room_id, ann, role=role)
            for is_granted in (False, True):
                if is_granted:
                    await give(world, ann, delete_any, room_id)
                file = await world.file(bob, room_id)
                await world.send(bob, room_id, file_ids=(file.id,))
                facts = await world.reader(ann).access.facts(user_of(ann), room_id)
                if can(facts, Permission.DELETE_ANY_FILE).allowed:
                    await self._change(world, form, ann, file, is_deletion=True)
                else:
                    with pytest.raises(NotTheFilesOwner):
                        await self._change(world, form, ann, file, is_deletion=True)
                with pytest.raises((NotTheFilesOwner, FileNotFound)):
                    await self._change(world, form, ann, file, is_deletion=False)

    @forms
    @pytest.mark.parametrize("is_deletion", [False, True])
    async def test_an_attached_file_changes_in_an_active_room_only(
        self, world: World, form: Form, is_deletion: bool
    ) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        free, sent = await world.file(ann, room_id), await world.file(ann, room_id)
        await world.send(ann, room_id, file_ids=(sent.id,))
        await world.change_room(room_id, status=RoomStatus.ARCHIVED)
        for actor in (ann, world.system):
            with pytest.raises(RoomNotActive):
                await self._change(world, form, actor, sent, is_deletion)
        await self._change(world, form, ann, free, is_deletion)
        await world.change_room(room_id, deleted_at=world.harness.clock())
        with pytest.raises(FileNotFound):
            await self._change(world, form, ann, sent, is_deletion)
        with pytest.raises(RoomNotFound):
            await self._change(world, form, world.system, sent, is_deletion)

    @forms
    @pytest.mark.parametrize("is_deletion", [False, True])
    async def test_a_barred_account_changes_no_file(self, world: World, form: Form, is_deletion: bool) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        free, sent = await world.file(ann, room_id), await world.file(ann, room_id)
        await world.send(ann, room_id, file_ids=(sent.id,))
        await world.change_account(ann, account_status=AccountStatus.SUSPENDED)
        for file in (free, sent):
            with pytest.raises(AccountInactive):
                await self._change(world, form, ann, file, is_deletion)

    async def _change(self, world: World, form: Form, actor: Actor, file: File, is_deletion: bool) -> None:
        if is_deletion:
            await world.perform(form, actor, lambda v: v.files.delete(file.id))
        else:
            await world.perform(form, actor, lambda v: v.files.rename(file.id, "new"))

    @forms
    @pytest.mark.parametrize("name", ["", " ", "a/b", "a\\b", "..", "a\x00b", "\ud800", "a\u202egpj.exe", "x" * 256])
    async def test_a_bad_name_is_refused_before_anything(self, world: World, form: Form, name: str) -> None:
        ann = await world.person()
        file = await world.file(ann, await world.room(ann))
        for file_id in (file.id, NO_FILE):
            with pytest.raises(Invalid) as refused:
                await world.perform(form, ann, lambda v, f=file_id: v.files.rename(f, name))  # type: ignore[misc]  # a default binds the loop's value
            assert refused.value.details["field"] == "name"
        assert await world.reader(ann).files.find(file.id) == file

    @forms
    async def test_deleting_twice_is_not_found(self, world: World, form: Form) -> None:
        ann = await world.person()
        file = await world.file(ann, await world.room(ann), is_ready=False)
        assert (await world.perform(form, ann, lambda v: v.files.delete(file.id))).dropped == ()
        with pytest.raises(FileNotFound):
            await world.perform(form, ann, lambda v: v.files.delete(file.id))

    # ── copies ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def test_copies_are_the_copiers_and_share_the_bytes(self, world: World) -> None:
        ann, bob = await world.persons(2)
        home, target = await world.room(ann, bob), await world.room(bob)
        files = [await world.file(ann, home, name=f"{n}") for n in range(3)]
        await world.send(ann, home, file_ids=[file.id for file in files])
        at = world.harness.clock.advance()
        async with world.unit(bob) as uow:
            order = (files[2].id, files[0].id)
            copies = await uow.files.copy(order, target, builders.LIFETIME)
            sent = await uow.messages.send(
                target, builders.draft("", message_type="file", file_ids=[c.id for c in copies])
            )
            await uow.commit()
        fresh = {"room_id": target, "owner_id": user_of(bob), "created_at": at, "updated_at": at}
        assert copies == tuple(
            source.changed(id=copy.id, **fresh, expires_at=at + builders.LIFETIME)
            for source, copy in zip((files[2], files[0]), copies, strict=True)
        )
        found = await world.reader(bob).files.find_by_messages(target, (sent.message.id,))
        assert [(f.id, f.storage_key) for f in found] == [(c.id, c.storage_key) for c in copies]
        # The bytes stay as long as one of the files has them.
        assert (await world.once(ann).files.delete(files[2].id)).dropped == ()
        assert (await world.once(bob).files.delete(copies[0].id)).dropped == (_key(files[2]),)
        assert (await world.once(bob).files.delete(copies[1].id)).dropped == ()
        assert (await world.once(ann).files.delete(files[0].id)).dropped == (_key(files[0]),)

    async def test_what_may_not_be_copied(self, world: World) -> None:
        ann, bob = await world.persons(2)
        home, target = await world.room(ann), await world.room(bob)
        hidden, own = await world.file(ann, home), await world.file(bob, target)
        begun = await world.file(bob, target, is_ready=False)
        other = await World.new(world.harness)
        foreign_person = await other.person()
        foreign = await other.file(foreign_person, await other.room(foreign_person))
        for file_ids, room_id, refusal in (
            ((hidden.id,), target, FileNotFound),
            ((own.id, NO_FILE), target, FileNotFound),
            ((own.id, begun.id), target, FileNotReady),
            ((foreign.id,), target, FileNotFound),
            ((own.id,), home, NotAMember),
            ((own.id,), NO_ROOM, RoomNotFound),
        ):
            async with world.unit(bob) as uow:
                with pytest.raises(refusal):
                    await uow.files.copy(file_ids, room_id, builders.LIFETIME)
                await uow.commit()
        await world.change_membership(target, bob, can_send_messages=False)
        async with world.unit(bob) as uow:
            with pytest.raises(Silenced):
                await uow.files.copy((own.id,), target, builders.LIFETIME)
        page = await world.reader().files.find_by_owner(user_of(bob), None, 10)
        assert {file.id for file in page.items} == {own.id, begun.id}

    async def test_a_copy_waits_for_one_who_deletes_its_source(self, world: World) -> None:
        ann, bob = await world.persons(2)
        home, target = await world.room(ann, bob), await world.room(bob)
        file = await world.file(ann, home)
        await world.send(ann, home, file_ids=(file.id,))

        async def copy() -> None:
            async with world.unit(bob) as theirs:
                await theirs.files.copy((file.id,), target, builders.LIFETIME)
                await theirs.commit()

        async with world.unit(ann) as uow:
            assert (await uow.files.delete(file.id)).dropped == (_key(file),)
            copying = await blocked(world.harness, copy())
            await uow.commit()
        with pytest.raises(FileNotFound):
            await released(world.harness, copying)

    # ── with their message ────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("commits", [True, False])
    async def test_files_go_with_their_message(self, world: World, commits: bool) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        files = [await world.file(ann, room_id) for _ in range(3)]
        message = await world.send(ann, room_id, file_ids=[file.id for file in files])
        stays = await world.file(ann, room_id)
        await world.once(ann).files.delete(files[1].id)
        async with world.unit(ann) as uow:
            await uow.messages.delete(room_id, message.id)
            swept = await uow.files.drop_by_message(room_id, message.id)
            assert swept == Swept(2, tuple(sorted((_key(files[0]), _key(files[2])))))
            assert await uow.files.drop_by_message(room_id, message.id) == Swept(0)
            if commits:
                await uow.commit()
        if commits:
            with pytest.raises(FileNotFound):
                await world.reader().files.find(files[0].id)
        else:
            assert (await world.reader(ann).files.find(files[0].id)).message_id == message.id
        assert await world.reader(ann).files.find(stays.id) == stays

    # ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @forms
    async def test_what_no_message_took_goes_when_its_time_is_over(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        files = [await world.file(ann, room_id, is_ready=n != 1) for n in range(5)]
        await world.send(ann, room_id, file_ids=(files[0].id,))
        expires_at = files[3].expires_at
        assert expires_at is not None
        clock = world.harness.clock
        with clock.moved(expires_at - clock()):
            first = await world.perform(form, world.system, lambda v: v.files.expire(2))
            assert first == Swept(2, (_key(files[2]),)), "oldest first, the second had no bytes"
            assert await world.perform(form, world.system, lambda v: v.files.expire(2)) == Swept(1, (_key(files[3]),))
            assert await world.perform(form, world.system, lambda v: v.files.expire(2)) == Swept(0)
        page = await world.reader().files.find_by_owner(user_of(ann), None, 10)
        assert [file.id for file in page.items] == [files[4].id, files[0].id]
        with pytest.raises(FileNotFound):
            await world.send(ann, room_id, file_ids=(files[2].id,))

    async def test_a_tenant_expires_its_own_files(self, world: World) -> None:
        other = await World.new(world.harness)
        person = await other.person()
        theirs = await other.file(person, await other.room(person))
        with world.harness.clock.moved(timedelta(days=3)):
            assert await world.once().files.expire(10) == Swept(0)
        assert await other.reader(person).files.find(theirs.id) == theirs

    async def test_expiring_waits_for_nobody(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        held, free = await world.file(ann, room_id), await world.file(ann, room_id)
        async with world.unit(ann) as uow:
            await uow.messages.send(room_id, builders.draft(file_ids=(held.id,)))
            with world.harness.clock.moved(timedelta(days=3)):
                swept = await goes_through(world.harness, world.once().files.expire(10))
            assert swept == Swept(1, (_key(free),))
            await uow.commit()
        assert (await world.reader(ann).files.find(held.id)).status is FileStatus.READY

    async def test_a_send_waits_for_the_sweep_that_takes_its_file(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        file = await world.file(ann, room_id)
        with world.harness.clock.moved(timedelta(days=3)):
            unit = world.unit()
            async with unit as uow:
                assert await uow.files.expire(10) == Swept(1, (_key(file),))
                sending = await blocked(
                    world.harness, world.once(ann).messages.send(room_id, builders.draft(file_ids=(file.id,)))
                )
                await uow.commit()
            with pytest.raises(FileNotFound):
                await released(world.harness, sending)
