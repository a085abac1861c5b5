"""Trying again when somebody else held the rows."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, get_type_hints
from uuid import uuid4

import pytest
import stamina
from pydantic import SecretStr
from stamina.instrumentation import RetryDetails, get_on_retry_hooks, set_on_retry_hooks

from app.container import Chat
from app.domain.access.roles import NewRole
from app.domain.actors import Actor
from app.domain.answers import Answer
from app.domain.errors import Conflict, Contended, OutcomeUnknown, Unavailable
from app.domain.files import FileLimits, NewFile
from app.domain.identity import Account, ProfileChange, Registration, SettingsChange
from app.domain.ids import RoomId, UserId
from app.domain.messaging import Draft
from app.domain.rooms import NewRoom, RoomChange
from app.domain.rooms.children import NewChild
from app.domain.rooms.moderation import Rights
from app.domain.support import NewIssue
from app.domain.support.conclusions import NewConclusion, Outcome
from app.domain.support.escalations import NewEscalation
from app.infrastructure.local.clock import SystemClock
from app.infrastructure.local.ids import TimeOrderedIds
from app.infrastructure.memory.blobs import MemoryBlobs
from app.services.retrying import retrying
from app.testing import builders
from app.testing.harness import START
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


PASSWORD = "correct horse"
ANN = Actor(user_id=UserId(uuid4()))
ROOM, OTHER = RoomId(uuid4()), UserId(uuid4())
REGISTRATION = Registration(username="ann", email="a@b.c", password=SecretStr(PASSWORD))


class AlwaysContended:
    """A store where somebody else holds everything. Whatever is read first is there, so that the writes are reached."""

    def __init__(self) -> None:
        self.writes = 0

    def reader(self, actor: Actor) -> AlwaysContended:
        return self

    @property
    def messages(self) -> AlwaysContended:
        return self

    credentials = files = messages
    thread_id = None  # what a reply answers is in no thread
    owner_id = ANN.user_id
    size = 2

    async def find(self, *args: object, **kwargs: object) -> AlwaysContended:
        return self

    find_token = find

    async def find_account(self, user_id: UserId) -> Account:
        return builders.account(id=user_id, password_hash=f"plain:{PASSWORD}")

    async def find_by_login(self, login: str) -> Account:
        return builders.account(username=login, password_hash=f"old:{PASSWORD}")

    def unit_of_work(self, *args: object, **kwargs: object) -> Any:
        self.writes += 1
        raise Contended

    once = unit_of_work

    @property
    def search_index(self) -> Any:
        return self.unit_of_work()

    activity = search_index


Call = Callable[[Callable[..., Any]], Any]


def ann(*args: Any, **kwargs: Any) -> Call:
    return lambda verb: verb(ANN, *args, **kwargs)


def system(*args: Any, **kwargs: Any) -> Call:
    return lambda verb: verb(Actor.system(), *args, **kwargs)


def nobody(*args: Any, **kwargs: Any) -> Call:
    return lambda verb: verb(*args, **kwargs)


TURN = (ROOM, OTHER, OTHER)
WRITES: dict[str, dict[str, Call]] = {
    "activity": {"refresh": nobody()},
    "identity": {
        "register": ann(REGISTRATION),
        "update_profile": ann(ProfileChange(display_name="Ann")),
        "update_online_status": ann("online"),
        "set_custom_status": ann("at lunch"),
        "clear_custom_status": ann(),
        "update_settings": ann(SettingsChange(theme="dark")),
        "suspend": ann(OTHER),
        "reactivate": ann(OTHER),
        "deactivate": ann(),
        "link_external_id": ann(OTHER, "sso|1"),
        "unlink_external_id": ann(OTHER),
    },
    "credentials": {
        "change_password": ann(PASSWORD, "battery staple"),
        "request_password_reset": ann("a@b.c"),
        "reset_password": ann("token", "battery staple"),
        "request_email_verification": ann(),
        "confirm_email": ann("token"),
        "change_email": ann("a@b.c"),
        "sweep_tokens": system(),
    },
    "blocks": {"block": ann(OTHER), "unblock": ann(OTHER)},
    "rooms": {
        "create": ann(NewRoom(name="Lounge")),
        "open_direct": ann(OTHER),
        "update": ann(ROOM, RoomChange(name="Bar")),
        "archive": ann(ROOM),
        "reopen": ann(ROOM),
        "close": ann(ROOM),
        "delete": ann(ROOM),
        "open_child": ann(ROOM, NewChild(name="Bar")),
    },
    "members": {
        "join": ann(ROOM),
        "leave": ann(ROOM),
        "add": ann(ROOM, OTHER),
        "remove": ann(ROOM, OTHER),
        "change_role": ann(ROOM, OTHER, "member"),
        "transfer_ownership": ann(ROOM, OTHER),
        "appoint_owner": system(ROOM, OTHER),
        "set_rights": ann(ROOM, OTHER, Rights(can_invite_others=True)),
        "set_notify_level": ann(ROOM, "none"),
    },
    "moderation": {
        "ban": ann(ROOM, OTHER),
        "unban": ann(ROOM, OTHER),
        "silence": ann(ROOM, OTHER),
        "lift_silence": ann(ROOM, OTHER),
    },
    "invitations": {
        "invite": ann(ROOM, OTHER),
        "invite_email": ann(ROOM, "a@b.c"),
        "make_link": ann(ROOM),
        "accept": ann(OTHER),
        "accept_token": ann("token"),
        "decline": ann(OTHER),
        "revoke": ann(OTHER),
        "sweep": system(),
    },
    "messages": {
        "send": ann(ROOM, Draft(content="hi")),
        "reply": ann(ROOM, OTHER, Draft(content="hi")),
        "edit": ann(ROOM, OTHER, "hi"),
        "delete": ann(ROOM, OTHER),
        "forward": ann(ROOM, OTHER, ROOM),
    },
    "reading": {
        "mark_read": ann(ROOM, OTHER),
        "mark_unread": ann(ROOM, OTHER),
        "mark_delivered": ann(ROOM, OTHER),
        "mark_all_read": ann(),
    },
    "search": {"index_pending": nobody(), "rebuild": nobody()},
    "threads": {
        "follow": ann(ROOM, OTHER),
        "unfollow": ann(ROOM, OTHER),
        "mute": ann(ROOM, OTHER),
        "mark_read": ann(ROOM, OTHER, OTHER),
    },
    "drafts": {"save": ann(ROOM, "hi"), "delete": ann(ROOM)},
    "schedule": {
        "schedule": ann(ROOM, Draft(content="hi", client_key="1"), START),
        "reschedule": ann(OTHER, START),
        "cancel": ann(OTHER),
        "run_due": system(),
    },
    "answers": {
        "begin": ann(ROOM, Answer(robot_id=OTHER)),
        "append": ann(ROOM, OTHER, 0, "hi"),
        "finish": ann(ROOM, OTHER),
        "fail": ann(ROOM, OTHER, "broken"),
        "fail_stale": system(START),
    },
    "reactions": {"react": ann(ROOM, OTHER, ":yes:"), "unreact": ann(ROOM, OTHER, ":yes:")},
    "pins": {"pin": ann(ROOM, OTHER), "unpin": ann(ROOM, OTHER)},
    "access": {
        "create_role": ann(NewRole(name="host")),
        "rename_role": ann(OTHER, "host"),
        "set_permissions": ann(OTHER, ()),
        "delete_role": ann(OTHER),
        "grant": ann(OTHER, OTHER),
        "revoke": ann(OTHER, OTHER),
        "drop_expired": ann(),
    },
    "supervision": {"history": ann(ROOM, "why"), "members": ann(ROOM, "why")},  # they write who has read
    "support": {
        "open": ann(NewIssue(name="Router", issue_description="No light")),
        "conclude": ann(ROOM, NewConclusion(outcome=Outcome.RESOLVED)),
        "reopen": ann(ROOM),
    },
    "support.robots": {
        "ask": ann(ROOM, OTHER, Draft(content="hi"), {}),
        "begin": ann(ROOM, OTHER, OTHER, {}),
        "start_next": ann(),
        "start": ann(*TURN),
        "complete": ann(*TURN, {}),
        "fail": ann(*TURN, "broken"),
    },
    "support.escalations": {
        "create": ann(ROOM, NewEscalation(reason="Beyond me")),
        "claim": ann(OTHER),
        "claim_next": ann(),
        "assign": ann(OTHER, OTHER),
        "transfer": ann(OTHER, OTHER, expected_version=1),
        "start": ann(OTHER),
        "resolve": ann(OTHER),
        "cancel": ann(OTHER),
        "reopen": ann(OTHER),
    },
    "files": {
        "begin": ann(ROOM, NewFile(name="a.txt", mime_type="text/plain", size=2)),
        "write": ann(OTHER, b"hi"),
        "upload": ann(ROOM, NewFile(name="a.txt", mime_type="text/plain", size=2), b"hi"),
        "rename": ann(OTHER, "b.txt"),
        "delete": ann(OTHER),
        "expire_unattached": system(),
    },
}
READS: dict[str, set[str]] = {
    "identity": {
        "profile", "settings", "find_by_id", "find_by_email", "find_by_username", "find_by_external_id", "find_online"
    },
    "blocks": {"mine", "is_blocked"},
    "rooms": {"get", "find_by_external_id", "browse", "browse_mine", "my_rooms", "find_children"},
    "members": {"find_by_room"},
    "moderation": {"bans"},
    "invitations": {"find_by_room", "find_mine"},
    "messages": {"get", "versions", "history", "around", "thread"},
    "activity": {"by_day"},
    "reading": {"unread", "recount", "readers"},
    "search": {"search", "lag"},
    "threads": {"summaries", "of_room", "unread", "recount"},
    "drafts": {"get", "mine"},
    "schedule": {"get", "mine"},
    "reactions": {"of_messages", "with_emoji"},
    "mentions": {"mine", "of_messages"},
    "pins": {"of_room"},
    "access": {"can", "explain", "domains", "roles", "roles_of", "grants_of"},
    "supervision": {"log"},
    "support": {"conclusions", "conclusion_history"},
    "support.robots": {"get", "find_by_message", "find_by_status", "find_by_robot", "history"},
    "support.escalations": {"get", "find_by_room", "queue", "mine", "overdue", "history"},
    "files": {"get", "open", "of_messages", "of_room", "of_owner"},
}  # fmt: skip
OTHERWISE: dict[str, set[str]] = {
    "credentials": {"authenticate"},  # its one write, a new hash, may fail: the login has not
    "search": {"keep_indexed"},  # goes on whatever happens
    "files": {"sweep_blobs"},  # deletes bytes only
    "imports": {"run"},  # retries each batch by itself
}


def services(store: AlwaysContended) -> dict[str, object]:
    """Every service of an application and those within them, by the name callers use."""
    clock = SystemClock()
    known = {
        "store": store,
        "ids": TimeOrderedIds(),
        "passwords": PlainPasswords(),
        "clock": clock,
        "blobs": MemoryBlobs(clock),
        "limits": FileLimits(),
    }
    hints = get_type_hints(Chat)
    found: dict[str, object] = {}
    for name in (field.name for field in fields(Chat)):
        service = hints[name]
        if service.__module__.startswith("app.services."):
            wanted = inspect.signature(service).parameters
            found[name] = made = service(**{part: known[part] for part in known if part in wanted})
            within = vars(made).items()
            found |= {f"{name}.{part}": one for part, one in within if type(one).__module__.startswith("app.services.")}
    return found


@pytest.mark.parametrize("name", services(AlwaysContended()))
def test_every_method_is_known_as_reading_or_writing(name: str) -> None:
    service = type(services(AlwaysContended())[name])
    methods = {method for method, _ in inspect.getmembers(service, inspect.isfunction) if not method.startswith("_")}
    told = [WRITES.get(name, {}).keys(), READS.get(name, set()), OTHERWISE.get(name, set())]
    assert methods == set().union(*told)
    assert len(methods) == sum(len(kind) for kind in told)


@pytest.mark.parametrize(("name", "method"), [(name, method) for name, calls in WRITES.items() for method in calls])
@pytest.mark.usefixtures("impatient")
async def test_every_writing_method_tries_again(name: str, method: str) -> None:
    store = AlwaysContended()
    with pytest.raises(Contended):
        await WRITES[name][method](getattr(services(store)[name], method))
    assert store.writes == 6
