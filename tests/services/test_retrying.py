"""Trying again when somebody else held the rows."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import stamina
from pydantic import SecretStr
from stamina.instrumentation import RetryDetails, get_on_retry_hooks, set_on_retry_hooks

from app.domain.actors import Actor
from app.domain.errors import Conflict, Contended, OutcomeUnknown, Unavailable
from app.domain.identity import ProfileChange, Registration
from app.domain.ids import RoomId, UserId
from app.domain.messaging import Draft
from app.domain.rooms import NewRoom, RoomChange
from app.domain.rooms.children import NewChild
from app.domain.rooms.moderation import Rights
from app.infrastructure.local.clock import SystemClock
from app.infrastructure.local.ids import TimeOrderedIds
from app.services.identity import IdentityService
from app.services.invitations import InvitationService
from app.services.members import MemberService
from app.services.mentions import MentionService
from app.services.messaging import MessagingService
from app.services.moderation import ModerationService
from app.services.pins import PinService
from app.services.reactions import ReactionService
from app.services.reading import ReadingService
from app.services.retrying import retrying
from app.services.rooms import RoomService
from tests.services.world import PlainPasswords

pytestmark = pytest.mark.spec("6.5")


@pytest.fixture
def impatient() -> Iterator[None]:
    """Retries without pauses, as many as without this fixture."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


class Trying:
    """Fails as often as told, then answers."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.runs = 0

    @retrying
    async def write(self, secret: str) -> str:
        self.runs += 1
        if self.failures:
            raise self.failures.pop(0)
        return secret


@pytest.mark.usefixtures("impatient")
async def test_contention_is_tried_again_five_times() -> None:
    patient = Trying(*[Contended()] * 5)
    assert await patient.write("done") == "done"
    assert patient.runs == 6

    hopeless = Trying(*[Contended(n=n) for n in range(6)])
    with pytest.raises(Contended) as last:
        await hopeless.write("done")
    assert (hopeless.runs, last.value.details) == (6, {"n": 5})


@pytest.mark.parametrize("error", [Unavailable(), OutcomeUnknown(), Conflict(), ValueError(), TimeoutError()])
@pytest.mark.usefixtures("impatient")
async def test_nothing_else_is_tried_again(error: Exception) -> None:
    first = Trying(error)
    with pytest.raises(type(error)):
        await first.write("done")
    assert first.runs == 1

    later = Trying(Contended(), error)
    with pytest.raises(type(error)):
        await later.write("done")
    assert later.runs == 2


async def test_there_is_a_short_pause_before_the_next_try() -> None:
    trying = Trying(Contended(), Contended())
    began = time.monotonic()
    await trying.write("done")
    assert 0.06 <= time.monotonic() - began < 2


@pytest.mark.usefixtures("impatient")
async def test_no_argument_reaches_those_who_log_retries() -> None:
    seen: list[RetryDetails] = []

    def hook(details: RetryDetails) -> None:
        seen.append(details)

    before = get_on_retry_hooks()
    set_on_retry_hooks([hook])
    try:
        await Trying(Contended(), Contended()).write("hunter2")
    finally:
        set_on_retry_hooks(before)
    assert [details.retry_num for details in seen] == [1, 2]
    assert all((details.args, details.kwargs) == ((), {}) for details in seen)
    assert "hunter2" not in repr(seen)


class AlwaysContended:
    """A store where somebody else holds everything."""

    def __init__(self) -> None:
        self.writes = 0

    def reader(self, actor: Actor) -> AlwaysContended:
        return self

    @property
    def messages(self) -> AlwaysContended:
        return self

    async def find(self, *args: object, **kwargs: object) -> AlwaysContended:
        return self  # what a reply answers: a message in no thread

    thread_id = None

    def unit_of_work(self, actor: Actor) -> None:
        self.writes += 1
        raise Contended

    once = unit_of_work


ANN = Actor(user_id=UserId(uuid4()))
ROOM, OTHER = RoomId(uuid4()), UserId(uuid4())
REGISTRATION = Registration(username="ann", email="a@b.c", password=SecretStr("correct horse"))
WRITES: dict[type, dict[str, tuple[Any, ...]]] = {
    IdentityService: {
        "register": (REGISTRATION,),
        "update_profile": (ProfileChange(display_name="Ann"),),
        "update_online_status": ("online",),
    },
    RoomService: {
        "create": (NewRoom(name="Lounge"),),
        "open_direct": (OTHER,),
        "update": (ROOM, RoomChange(name="Bar")),
        "archive": (ROOM,),
        "reopen": (ROOM,),
        "close": (ROOM,),
        "delete": (ROOM,),
        "open_child": (ROOM, NewChild(name="Bar")),
    },
    MemberService: {
        "join": (ROOM,),
        "leave": (ROOM,),
        "add": (ROOM, OTHER),
        "remove": (ROOM, OTHER),
        "change_role": (ROOM, OTHER, "member"),
        "transfer_ownership": (ROOM, OTHER),
        "appoint_owner": (ROOM, OTHER),
        "set_rights": (ROOM, OTHER, Rights(can_invite_others=True)),
        "set_notify_level": (ROOM, "none"),
    },
    ModerationService: {
        "ban": (ROOM, OTHER),
        "unban": (ROOM, OTHER),
        "silence": (ROOM, OTHER),
        "lift_silence": (ROOM, OTHER),
    },
    InvitationService: {
        "invite": (ROOM, OTHER),
        "invite_email": (ROOM, "a@b.c"),
        "make_link": (ROOM,),
        "accept": (OTHER,),
        "accept_token": ("token",),
        "decline": (OTHER,),
        "revoke": (OTHER,),
        "sweep": (),
    },
    MessagingService: {
        "send": (ROOM, Draft(content="hi")),
        "reply": (ROOM, OTHER, Draft(content="hi")),
        "edit": (ROOM, OTHER, "hi"),
        "delete": (ROOM, OTHER),
        "forward": (ROOM, OTHER, ROOM),
    },
    ReactionService: {"react": (ROOM, OTHER, ":yes:"), "unreact": (ROOM, OTHER, ":yes:")},
    MentionService: {},
    PinService: {"pin": (ROOM, OTHER), "unpin": (ROOM, OTHER)},
    ReadingService: {"mark_read": (ROOM, OTHER), "mark_unread": (ROOM, OTHER), "mark_all_read": ()},
}
READS = {
    IdentityService: {
        "profile", "settings", "find_by_id", "find_by_email", "find_by_username", "find_by_external_id"
    },
    RoomService: {"get", "find_by_external_id", "browse", "browse_mine", "my_rooms", "find_children"},
    MemberService: {"find_by_room"},
    ModerationService: {"bans"},
    InvitationService: {"find_by_room", "find_mine"},
    MessagingService: {"get", "history", "around", "thread"},
    ReactionService: {"of_messages", "with_emoji"},
    MentionService: {"mine", "of_messages"},
    PinService: {"of_room"},
    ReadingService: {"unread", "recount", "readers"},
}  # fmt: skip


def _actor(method: str) -> Actor:
    return Actor.system() if method in {"appoint_owner", "sweep"} else ANN


@pytest.mark.parametrize("service", WRITES, ids=lambda service: service.__name__)
def test_every_method_is_known_as_reading_or_writing(service: type) -> None:
    methods = {name for name, _ in inspect.getmembers(service, inspect.isfunction) if not name.startswith("_")}
    assert methods == READS[service] | WRITES[service].keys()


@pytest.mark.parametrize(
    ("service", "method"), [(service, method) for service, methods in WRITES.items() for method in methods]
)
@pytest.mark.usefixtures("impatient")
async def test_every_writing_method_tries_again(service: type, method: str) -> None:
    store = AlwaysContended()
    known = {"store": store, "ids": TimeOrderedIds(), "passwords": PlainPasswords(), "clock": SystemClock()}
    made = service(**{name: part for name, part in known.items() if name in inspect.signature(service).parameters})
    with pytest.raises(Contended):
        await getattr(made, method)(_actor(method), *WRITES[service][method])
    assert store.writes == 6
