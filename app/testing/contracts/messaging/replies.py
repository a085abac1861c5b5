"""The contract of a send that replies: where it goes, and that it repeats like any send (SPEC 3.4)."""

from __future__ import annotations

import pytest

from app.domain.messaging import ReplyTargetNotFound, ThreadNotFound
from app.domain.rooms.members import NotAMember, Role
from app.testing import builders
from app.testing.contracts.base import Contract, forms
from app.testing.world import NO_MESSAGE, Form, World


@pytest.mark.spec("3.4")
class RepliesContract(Contract):
    """A reply joins the thread of what it replies to, in the send's own statement."""

    @forms
    async def test_a_reply_goes_to_the_thread_of_its_target(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        root, other = await world.send(ann, room_id), await world.send(ann, room_id)
        answer = await world.send(ann, room_id, thread_id=root.id)
        for given, expected in ((None, root.id), (root.id, root.id), (other.id, root.id)):
            draft = builders.draft(reply_to_message_id=answer.id, thread_id=given)
            sent = await world.perform(form, ann, lambda v, d=draft: v.messages.send(room_id, d))  # type: ignore[misc]  # a default binds the loop's value
            assert (sent.message.reply_to_message_id, sent.message.thread_id) == (answer.id, expected)
            assert await world.reader(ann).messages.find(room_id, sent.message.id) == sent.message
            again = await world.perform(form, ann, lambda v, d=draft: v.messages.send(room_id, d))  # type: ignore[misc]  # a default binds the loop's value
            assert (again.repeated, again.message) == (True, sent.message)
        for given in (None, other.id):  # the target is in no thread: the draft's own stands
            draft = builders.draft(reply_to_message_id=root.id, thread_id=given)
            sent = await world.perform(form, ann, lambda v, d=draft: v.messages.send(room_id, d))  # type: ignore[misc]  # a default binds the loop's value
            assert sent.message.thread_id == given
        await world.prove(room_id)

    @forms
    @pytest.mark.parametrize("since", ["left", "target deleted", "thread deleted"])
    async def test_a_reply_repeats_whatever_happened_since(self, world: World, form: Form, since: str) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        root = await world.send(ann, room_id)
        answer = await world.send(ann, room_id, thread_id=root.id)
        draft = builders.draft(reply_to_message_id=answer.id)
        first = await world.once(bob).messages.send(room_id, draft)
        if since == "left":
            await world.leave(room_id, bob)
        else:
            await world.delete(ann, answer if since == "target deleted" else root)
        again = await world.perform(form, bob, lambda verbs: verbs.messages.send(room_id, draft))
        assert (again.repeated, again.message) == (True, first.message)
        refusal = {"left": NotAMember, "target deleted": ReplyTargetNotFound, "thread deleted": ThreadNotFound}[since]
        with pytest.raises(refusal):
            await world.perform(
                form, bob, lambda v: v.messages.send(room_id, builders.draft(reply_to_message_id=answer.id))
            )

    @forms
    async def test_what_one_does_not_see_leads_nowhere(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann)
        root = await world.send(ann, room_id)
        early = await world.send(ann, room_id, thread_id=root.id)
        await world.join(room_id, bob, can_see_history=False)
        late = await world.send(ann, room_id, thread_id=root.id)
        mine = await world.send(bob, room_id)
        for target, thread, refusal in (
            (early.id, None, ReplyTargetNotFound),
            (early.id, mine.id, ReplyTargetNotFound),
            (early.id, NO_MESSAGE, ThreadNotFound),
            (late.id, None, ThreadNotFound),  # the answer is seen, the thread it leads to is not
            (NO_MESSAGE, mine.id, ReplyTargetNotFound),
        ):
            draft = builders.draft(reply_to_message_id=target, thread_id=thread)
            with pytest.raises(refusal):
                await world.perform(form, bob, lambda v, d=draft: v.messages.send(room_id, d))  # type: ignore[misc]  # a default binds the loop's value
        await world.change_membership(room_id, bob, role=Role.OWNER, can_see_history=True)
        draft = builders.draft(reply_to_message_id=early.id)
        sent = await world.perform(form, bob, lambda verbs: verbs.messages.send(room_id, draft))
        assert sent.message.thread_id == root.id
        await world.prove(room_id)
