"""The contract suites on PostgreSQL: the embedded server, or the one of CHAT_TEST_DATABASE_URL."""

from __future__ import annotations

from collections.abc import AsyncIterator

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
from tests.conftest import DatabaseServer
from tests.contracts.postgres_harness import migrate, postgres_harness

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
async def harness(database_server: DatabaseServer) -> AsyncIterator[Harness]:
    """One database for all suites: each works in a tenant of its own."""
    template = await database_server.template("contracts", migrate)
    async with database_server.database(template) as url, postgres_harness(url) as made:
        yield made


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


class TestMissingMonth(MissingMonthContract): ...


def test_every_suite_is_bound() -> None:
    bound = {base for thing in globals().values() if isinstance(thing, type) for base in thing.__bases__}
    assert set(all_contracts()) <= bound
