"""The contract suites on the memory adapter."""

from __future__ import annotations

import pytest

from app.testing.contracts.base import all_contracts
from app.testing.contracts.events import EventsContract
from app.testing.contracts.foreign import ForeignRowsContract
from app.testing.contracts.identity import TenantsContract, UsersContract
from app.testing.contracts.imports import ImportsContract, MissingMonthContract, MonthsContract
from app.testing.contracts.invitations import InvitationsContract
from app.testing.contracts.messaging.alter import AlterContract
from app.testing.contracts.messaging.around import AroundContract, ThreadContract
from app.testing.contracts.messaging.history import HistoryContract
from app.testing.contracts.messaging.send import SendContract
from app.testing.contracts.messaging.tables import DecisionTablesContract
from app.testing.contracts.pages import BrowseContract, MembersContract
from app.testing.contracts.reading import ReadingContract, ReceiptsContract
from app.testing.contracts.rooms import RoomsContract
from app.testing.contracts.seats import ChildRoomsContract, SeatsContract
from app.testing.contracts.unit_of_work import MisuseContract, UnitOfWorkContract
from app.testing.contracts.unread import UnreadContract
from app.testing.contracts.waiting import ContendedContract, WaitingContract
from app.testing.harness import Harness
from app.testing.memory import MemoryHarness


@pytest.fixture
def harness(memory_harness: MemoryHarness) -> Harness:
    return memory_harness


class TestUnitOfWork(UnitOfWorkContract): ...


class TestMisuse(MisuseContract): ...


class TestEvents(EventsContract): ...


class TestWaiting(WaitingContract): ...


class TestContended(ContendedContract): ...


class TestUsers(UsersContract): ...


class TestTenants(TenantsContract): ...


class TestRooms(RoomsContract): ...


class TestMembers(MembersContract): ...


class TestSeats(SeatsContract): ...


class TestChildRooms(ChildRoomsContract): ...


class TestInvitations(InvitationsContract): ...


class TestBrowse(BrowseContract): ...


class TestSend(SendContract): ...


class TestAlter(AlterContract): ...


class TestDecisionTables(DecisionTablesContract): ...


class TestHistory(HistoryContract): ...


class TestAround(AroundContract): ...


class TestThread(ThreadContract): ...


class TestReading(ReadingContract): ...


class TestReceipts(ReceiptsContract): ...


class TestUnread(UnreadContract): ...


class TestImports(ImportsContract): ...


class TestForeignRows(ForeignRowsContract): ...


class TestMonths(MonthsContract): ...


def test_every_suite_is_bound() -> None:
    bound = {base for thing in globals().values() if isinstance(thing, type) for base in thing.__bases__}
    assert set(all_contracts()) - bound == {MissingMonthContract}, "memory has room for every month"
