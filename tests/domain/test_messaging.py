"""The limits of messages, and the tables that judge sends, edits and deletes."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import files, messaging
from app.domain.access import NotAllowed
from app.domain.blocks import Blocked
from app.domain.documents import EMPTY
from app.domain.errors import ChatError, Invalid
from app.domain.files import File, FileStatus
from app.domain.grants import Standing
from app.domain.identity import AccountInactive, AccountType, UserNotFound
from app.domain.ids import FileId, MessageId, RoomId, UserId
from app.domain.imports import ImportedMessage
from app.domain.messaging import Draft, Message, MessageType, rules
from app.domain.messaging.mentions import Mentions
from app.domain.messaging.rules import AlterFacts, SendFacts, judge, may_see
from app.domain.reading import counts_as_unread
from app.domain.rooms import RoomNotActive, RoomNotFound, RoomStatus, StaleVersion
from app.domain.rooms.members import Membership, NotAMember

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TIMES: dict[str, Any] = {"created_at": NOW, "updated_at": NOW}
ROOM = RoomId(UUID(int=9))
ANN, BOB = UserId(UUID(int=1)), UserId(UUID(int=2))
M1, M2 = MessageId(UUID(int=11)), MessageId(UUID(int=12))
FILE = FileId(UUID(int=21))
A_FILE = File(
    id=FILE,
    room_id=ROOM,
    owner_id=ANN,
    name="a",
    mime_type="text/plain",
    size=0,
    url="/a",
    status=FileStatus.READY,
    **TIMES,
)


def a_message(**fields: Any) -> Message:
    return Message(**{"id": M1, "room_id": ROOM, "position": 3, "user_id": ANN, "content": "hi", **TIMES, **fields})


def a_membership(**fields: Any) -> Membership:
    return Membership(**{"room_id": ROOM, "user_id": ANN, "joined_at": NOW, **TIMES, **fields})


# ── limits ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("content", ["x" * 100_000, "two\nlines", "👩‍👩‍👧"], ["x" * 100_001, "a\0", "\ud800", ""]),
        ("client_key", ["k", "x" * 128], ["", "x" * 129, "a\0", "\u200b"]),
        ("message_type", [MessageType.GRAPH], ["chat"]),
        ("metadata", [{"a": [1]}], [{"a": float("nan")}, "text"]),
        ("thread_id", [M1, None], ["nobody"]),
        ("reply_to_message_id", [M1, None], [5]),
    ],
)
def test_draft_limits(field: str, good: list[object], bad: list[object]) -> None:
    for value in good:
        assert getattr(Draft(**{"content": "hi", field: value}), field) == value  # type: ignore[arg-type]  # any field
    for value in bad:
        with pytest.raises(Invalid) as refused:
            Draft(**{"content": "hi", field: value})  # type: ignore[arg-type]  # wrong values are the point
        assert refused.value.details["field"] == field


@pytest.mark.parametrize("kind", MessageType)
def test_only_a_file_may_say_nothing(kind: MessageType) -> None:
    if kind in (MessageType.IMAGE, MessageType.FILE):
        Draft(message_type=kind, file_ids=(FILE,))
        a_message(message_type=kind, content="")
        with pytest.raises(Invalid, match="content"):
            Draft(message_type=kind)
    else:
        with pytest.raises(Invalid, match="content"):
            Draft(message_type=kind, file_ids=(FILE,))
        with pytest.raises(Invalid, match="content"):
            a_message(message_type=kind, content="")
    a_message(message_type=kind, content="", deleted_at=NOW)


@pytest.mark.parametrize("fields", [{"robot_id": BOB}, {"robot_response_to": M1}, {"is_robot_visible_to_guests": True}])
def test_only_a_robots_message_has_robot_fields(fields: dict[str, Any]) -> None:
    Draft(content="hi", message_type=MessageType.ROBOT, **fields)
    with pytest.raises(Invalid) as refused:
        Draft(content="hi", **fields)
    assert refused.value.details["field"] == "message_type"


@pytest.mark.parametrize("field", ["position", "version"])
def test_counts_start_at_one(field: str) -> None:
    with pytest.raises(Invalid, match=field):
        a_message(**{field: 0})


def test_a_tombstone_keeps_its_place_and_nothing_it_said() -> None:
    message = a_message(metadata={"secret": 1}, deleted_at=NOW)
    tombstone = message.tombstone()
    assert (tombstone.content, tombstone.metadata) == ("", EMPTY)
    assert (tombstone.id, tombstone.position, tombstone.user_id) == (
        message.id,
        message.position,
        message.user_id,
    )


def test_an_imported_message_keeps_to_the_same_limits() -> None:
    fields: dict[str, Any] = {"id": M1, "key": "7", "user_id": ANN, "content": "hi", "created_at": NOW}
    ImportedMessage(**fields)
    for wrong in (
        {"content": "a\0"},
        {"content": "x" * 100_001},
        {"key": ""},
        {"created_at": NOW.replace(tzinfo=None)},
    ):
        with pytest.raises(Invalid):
            ImportedMessage(**{**fields, **wrong})


def test_an_edit_keeps_to_the_same_limits() -> None:
    assert messaging.Edit(content="").content == ""
    for wrong in ("a\0", "x" * 100_001, "\ud800"):
        with pytest.raises(Invalid, match="content"):
            messaging.Edit(content=wrong)


# ── idempotency ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_draft_has_a_key_of_its_own() -> None:
    one, other = Draft(content="hi"), Draft(content="hi")
    assert one.client_key != other.client_key
    assert one.body_hash == other.body_hash
    assert one.changed(thread_id=M1).client_key == one.client_key


@pytest.mark.parametrize(
    "fields",
    [
        {"content": "ho"},
        {"message_type": MessageType.SYSTEM},
        {"metadata": {"a": 1}},
        {"reply_to_message_id": M1},
        {"thread_id": M1},
        {"robot_id": BOB},
        {"robot_response_to": M1},
        {"is_robot_visible_to_guests": True},
        {"file_ids": (FILE,)},
        {"mentions": Mentions(users=(BOB,))},
        {"mentions": Mentions(names=("bob",))},
        {"mentions": Mentions(here=True)},
        {"mentions": Mentions(all=True)},
    ],
)
def test_the_body_hash_tells_every_field_apart(fields: dict[str, Any]) -> None:
    draft = Draft(content="hi", message_type=MessageType.ROBOT)
    other = draft.changed(**fields)
    assert len(draft.body_hash) == 32
    assert other.body_hash != draft.body_hash
    assert other.changed(client_key="k").body_hash == other.body_hash


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    st.sampled_from([M1, M2]),
)
def test_fields_do_not_run_into_one_another(content: str, target: MessageId) -> None:
    replying = Draft(content=content, reply_to_message_id=target)
    threaded = Draft(content=content, thread_id=target)
    assert replying.body_hash != threaded.body_hash


def test_every_field_of_a_draft_is_in_the_test_above() -> None:
    assert set(Draft.model_fields) == {
        "content", "message_type", "metadata", "reply_to_message_id", "thread_id", "robot_id", "robot_response_to",
        "is_robot_visible_to_guests", "mentions", "file_ids", "client_key",
    }  # fmt: skip


# ── what a member sees ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("message", "membership", "seen"),
    [
        ({}, None, True),
        ({}, {}, True),
        ({}, {"visible_from": 3}, True),
        ({}, {"visible_from": 3, "can_see_history": False}, False),
        ({}, {"visible_from": 2, "can_see_history": False}, True),
        ({"message_type": "robot"}, {}, True),
        ({"message_type": "robot"}, None, True),
        ({"message_type": "robot"}, {"role": "guest"}, False),
        ({"message_type": "robot", "is_robot_visible_to_guests": True}, {"role": "guest"}, True),
        ({"message_type": "text"}, {"role": "guest"}, True),
    ],
)
def test_what_a_member_sees(message: dict[str, Any], membership: dict[str, Any] | None, seen: bool) -> None:
    assert may_see(a_message(**message), None if membership is None else a_membership(**membership)) is seen


@pytest.mark.spec("3.5")
@pytest.mark.parametrize(
    ("message", "membership", "counts"),
    [
        ({"user_id": BOB}, {}, True),
        ({"user_id": None}, {}, True),
        ({"user_id": ANN}, {}, False),
        ({"user_id": BOB, "deleted_at": NOW}, {}, False),
        ({"user_id": BOB}, {"last_read_position": 2}, True),
        ({"user_id": BOB}, {"last_read_position": 3}, False),
        ({"user_id": None, "message_type": "system"}, {}, False),
        ({"user_id": BOB, "message_type": "robot"}, {}, True),
        ({"user_id": BOB, "message_type": "robot"}, {"role": "guest"}, False),
        ({"user_id": BOB}, {"visible_from": 3, "can_see_history": False}, False),
        ({"user_id": BOB, "thread_id": M2}, {}, True),
    ],
)
def test_what_counts_as_unread(message: dict[str, Any], membership: dict[str, Any], counts: bool) -> None:
    assert counts_as_unread(a_message(**message), a_membership(**membership)) is counts


# ── the tables ────────────────────────────────────────────────────────────────────────────────────────────────────

SEND = SendFacts(
    draft=Draft(content="hi"),
    now=NOW,
    room_status=RoomStatus.ACTIVE,
    key_was_used_for_another=False,
    by_application=False,
    membership=a_membership(),
    account_is_barred=False,
    account_type=AccountType.MEMBER,
    thread=None,
    reply_to=None,
    response_to=None,
    robot_is_known=False,
)
BY_ROBOT: dict[str, Any] = {"message_type": MessageType.ROBOT, "content": "hi"}
IN_THREAD = Draft(content="hi", thread_id=M1, reply_to_message_id=M2)

# In the order of the table: what breaks each rule, later ones left whole.
BROKEN_SENDS: tuple[tuple[dict[str, Any], type[ChatError]], ...] = (
    ({"room_status": None}, RoomNotFound),
    ({"key_was_used_for_another": True}, messaging.ClientKeyReused),
    ({"room_status": RoomStatus.CLOSED}, RoomNotActive),
    ({"membership": None}, NotAMember),
    ({"account_is_barred": True}, AccountInactive),
    ({"membership": a_membership(can_send_messages=False)}, messaging.Silenced),
    ({"is_blocked": True}, Blocked),
    ({"draft": Draft(content="hi", message_type=MessageType.SYSTEM)}, messaging.WrongMessageType),
    ({"draft": Draft(content="hi", mentions=Mentions(all=True)), "membership": a_membership(role="guest")}, NotAllowed),
    ({"draft": IN_THREAD}, messaging.ThreadNotFound),
    ({"draft": IN_THREAD, "thread": a_message(thread_id=M2), "reply_to": a_message()}, messaging.NotAThread),
    ({"draft": IN_THREAD, "thread": a_message()}, messaging.ReplyTargetNotFound),
    (
        {"draft": Draft(**BY_ROBOT, robot_response_to=M1), "account_type": AccountType.ROBOT},
        messaging.ReplyTargetNotFound,
    ),
    ({"draft": Draft(**BY_ROBOT, robot_id=BOB), "account_type": AccountType.ROBOT}, UserNotFound),
    ({"files": (A_FILE, None)}, files.FileNotFound),
    ({"files": (A_FILE.changed(status="pending"),)}, files.FileNotReady),
    ({"files": (A_FILE, A_FILE.changed(message_id=M1))}, files.FileAlreadyAttached),
)


def test_the_send_table_is_tested_row_by_row_in_its_order() -> None:
    judge(rules.SEND_RULES, SEND)
    assert [refusal for _, refusal in BROKEN_SENDS] == [rule.refusal for rule in rules.SEND_RULES]


@pytest.mark.parametrize(("broken", "refusal"), BROKEN_SENDS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_broken_rule_names_the_refusal(broken: dict[str, Any], refusal: type[ChatError]) -> None:
    with pytest.raises(refusal):
        judge(rules.SEND_RULES, replace(SEND, **broken))


@pytest.mark.parametrize("first", range(len(BROKEN_SENDS)))
@pytest.mark.parametrize("second", range(len(BROKEN_SENDS)))
def test_of_two_broken_rules_the_first_speaks(first: int, second: int) -> None:
    (broken, refusal), (later, _) = BROKEN_SENDS[first], BROKEN_SENDS[second]
    if first < second and not broken.keys() & later.keys():
        with pytest.raises(refusal):
            judge(rules.SEND_RULES, replace(SEND, **later, **broken))


@pytest.mark.parametrize("kind", MessageType)
@pytest.mark.parametrize("sender", ["person", "robot", "application"])
def test_who_sends_which_type(kind: MessageType, sender: str) -> None:
    allowed = {
        MessageType.SYSTEM: {"application"},
        MessageType.ROBOT: {"application", "robot"},
    }.get(kind, {"person", "robot"})
    facts = replace(
        SEND,
        draft=Draft(content="hi", message_type=kind),
        by_application=sender == "application",
        membership=None if sender == "application" else SEND.membership,
        account_type={"person": AccountType.MEMBER, "robot": AccountType.ROBOT}.get(sender),
    )
    if sender in allowed:
        judge(rules.SEND_RULES, facts)
    else:
        with pytest.raises(messaging.WrongMessageType):
            judge(rules.SEND_RULES, facts)


@pytest.mark.parametrize("target", [None, a_message(deleted_at=NOW), a_message(position=1)])
def test_what_is_missing_deleted_or_hidden_is_not_answered(target: Message | None) -> None:
    member = a_membership(can_see_history=False, visible_from=1)
    seen = replace(SEND, membership=member, draft=IN_THREAD, thread=a_message(), reply_to=a_message())
    judge(rules.SEND_RULES, seen)
    with pytest.raises(messaging.ThreadNotFound):
        judge(rules.SEND_RULES, replace(seen, thread=target))
    with pytest.raises(messaging.ReplyTargetNotFound):
        judge(rules.SEND_RULES, replace(seen, reply_to=target))


ALTER = AlterFacts(
    now=NOW,
    room_status=RoomStatus.ACTIVE,
    by_application=False,
    user_id=ANN,
    membership=a_membership(),
    account_is_barred=False,
    message=a_message(version=2),
    expected_version=2,
    content="new",
    standing=Standing(NOW),
)
BROKEN_EDITS: tuple[tuple[dict[str, Any], type[ChatError]], ...] = (
    ({"room_status": None}, RoomNotFound),
    ({"room_status": RoomStatus.ARCHIVED}, RoomNotActive),
    ({"membership": a_membership(status="left")}, NotAMember),
    ({"account_is_barred": True}, AccountInactive),
    ({"membership": a_membership(status="muted")}, messaging.Silenced),
    ({"message": a_message(deleted_at=NOW)}, messaging.MessageNotFound),
    ({"message": a_message(user_id=BOB)}, messaging.NotTheAuthor),
    ({"message": a_message(version=2, delivery_status="streaming")}, messaging.StillStreaming),
    ({"expected_version": 1}, StaleVersion),
    ({"content": ""}, messaging.EmptyContent),
    ({"mentions": Mentions(here=True), "membership": a_membership(role="guest")}, NotAllowed),
)


def test_the_edit_table_is_tested_row_by_row_in_its_order() -> None:
    judge(rules.EDIT_RULES, ALTER)
    judge(rules.EDIT_RULES, replace(ALTER, expected_version=None))
    image = replace(ALTER, content="", message=a_message(message_type="image", version=2))
    judge(rules.EDIT_RULES, replace(image, has_files=True))
    with pytest.raises(messaging.EmptyContent):
        judge(rules.EDIT_RULES, image)
    assert [refusal for _, refusal in BROKEN_EDITS] == [rule.refusal for rule in rules.EDIT_RULES]


@pytest.mark.parametrize(("broken", "refusal"), BROKEN_EDITS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_broken_edit_names_the_refusal(broken: dict[str, Any], refusal: type[ChatError]) -> None:
    with pytest.raises(refusal):
        judge(rules.EDIT_RULES, replace(ALTER, **broken))


@pytest.mark.parametrize(("broken", "refusal"), BROKEN_EDITS[:-4], ids=lambda value: getattr(value, "__name__", ""))
def test_a_broken_delete_names_the_refusal(broken: dict[str, Any], refusal: type[ChatError]) -> None:
    facts = replace(ALTER, **broken)
    if refusal is messaging.Silenced:  # a silenced member may still take back what they said
        judge(rules.DELETE_RULES, facts)
    else:
        with pytest.raises(refusal):
            judge(rules.DELETE_RULES, facts)


@pytest.mark.parametrize("role", ["owner", "admin", "moderator", "member", "observer", "guest"])
def test_moderators_delete_what_others_wrote_and_nobody_edits_it(role: str) -> None:
    facts = replace(ALTER, membership=a_membership(role=role), message=a_message(user_id=BOB))
    if role in {"owner", "admin", "moderator"}:
        judge(rules.DELETE_RULES, facts)
    else:
        with pytest.raises(messaging.NotTheAuthor):
            judge(rules.DELETE_RULES, facts)
    if role != "observer":
        with pytest.raises(messaging.NotTheAuthor):
            judge(rules.EDIT_RULES, facts)


def test_the_application_deletes_anything_and_edits_its_own() -> None:
    application = replace(ALTER, by_application=True, user_id=None, membership=None)
    judge(rules.DELETE_RULES, application)
    with pytest.raises(messaging.NotTheAuthor):
        judge(rules.EDIT_RULES, application)
    judge(rules.EDIT_RULES, replace(application, message=a_message(user_id=None, version=2)))
    with pytest.raises(messaging.MessageNotFound):
        judge(rules.DELETE_RULES, replace(application, message=None))


def test_a_member_does_not_delete_what_has_no_author() -> None:
    with pytest.raises(messaging.NotTheAuthor):
        judge(rules.DELETE_RULES, replace(ALTER, message=a_message(user_id=None)))


@given(st.uuids(), st.uuids(), st.uuids(), st.uuids())
def test_a_history_cursor_is_for_one_room_or_one_thread(a: UUID, b: UUID, c: UUID, d: UUID) -> None:
    one, other = messaging.listing(RoomId(a), MessageId(b)), messaging.listing(RoomId(c), MessageId(d))
    assert (one == other) == ((a, b) == (c, d))
    assert messaging.listing(RoomId(a)) != one
