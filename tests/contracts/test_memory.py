"""The contract suites on the memory adapter."""

from __future__ import annotations

import pytest

from app.testing.contracts.access import GrantsContract
from app.testing.contracts.activity import ActivityContract
from app.testing.contracts.answers import AnswersContract, StaleAnswersContract
from app.testing.contracts.attaching import AttachTablesContract
from app.testing.contracts.base import all_contracts
from app.testing.contracts.blocks import BlocksContract
from app.testing.contracts.credentials import CredentialsContract, TokensContract
from app.testing.contracts.drafts import DraftsContract
from app.testing.contracts.events import EventsContract
from app.testing.contracts.files.reading import FileReaderContract
from app.testing.contracts.files.taking_away import FilesTakenAwayContract
from app.testing.contracts.files.uploads import UploadsContract
from app.testing.contracts.foreign import ForeignRowsContract
from app.testing.contracts.granted import GrantedDeletesContract
from app.testing.contracts.identity import TenantsContract, UsersContract
from app.testing.contracts.imports import ImportsContract, MissingMonthContract, MonthsContract
from app.testing.contracts.invitations import InvitationsContract
from app.testing.contracts.mentions import MentionCountsContract, MentionsContract
from app.testing.contracts.messaging.alter import AlterContract
from app.testing.contracts.messaging.around import AroundContract, ThreadContract
from app.testing.contracts.messaging.history import HistoryContract
from app.testing.contracts.messaging.replies import RepliesContract
from app.testing.contracts.messaging.send import SendContract
from app.testing.contracts.messaging.tables import DecisionTablesContract
from app.testing.contracts.messaging.versions import VersionsContract
from app.testing.contracts.pages import BrowseContract, MembersContract
from app.testing.contracts.pins import PinsContract
from app.testing.contracts.reactions import ReactionsContract
from app.testing.contracts.reading import ReadingContract, ReceiptsContract
from app.testing.contracts.roles import RolesContract
from app.testing.contracts.rooms import RoomsContract
from app.testing.contracts.schedule import ClaimsContract, ScheduleContract
from app.testing.contracts.search.finding import SearchContract
from app.testing.contracts.search.seeing import SearchVisibilityContract
from app.testing.contracts.seats import ChildRoomsContract, SeatsContract
from app.testing.contracts.statuses import OnlineContract, OwnContract
from app.testing.contracts.supervision import SupervisionContract
from app.testing.contracts.support.conclusions import ConclusionsContract
from app.testing.contracts.support.escalations import EscalationsContract
from app.testing.contracts.support.queue import EscalationQueueContract
from app.testing.contracts.support.robots import RobotsContract
from app.testing.contracts.support.together import SupportAgreementContract
from app.testing.contracts.threads import FollowsContract, SummariesContract
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


class TestOwn(OwnContract): ...


class TestOnline(OnlineContract): ...


class TestCredentials(CredentialsContract): ...


class TestTokens(TokensContract): ...


class TestBlocks(BlocksContract): ...


class TestRooms(RoomsContract): ...


class TestMembers(MembersContract): ...


class TestSearch(SearchContract): ...


class TestSearchVisibility(SearchVisibilityContract): ...


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


class TestReplies(RepliesContract): ...


class TestVersions(VersionsContract): ...


class TestSummaries(SummariesContract): ...


class TestFollows(FollowsContract): ...


class TestDrafts(DraftsContract): ...


class TestSchedule(ScheduleContract): ...


class TestClaims(ClaimsContract): ...


class TestAnswers(AnswersContract): ...


class TestStaleAnswers(StaleAnswersContract): ...


class TestReading(ReadingContract): ...


class TestReceipts(ReceiptsContract): ...


class TestUnread(UnreadContract): ...


class TestReactions(ReactionsContract): ...


class TestMentions(MentionsContract): ...


class TestMentionCounts(MentionCountsContract): ...


class TestActivity(ActivityContract): ...


class TestPins(PinsContract): ...


class TestAttachTables(AttachTablesContract): ...


class TestImports(ImportsContract): ...


class TestUploads(UploadsContract): ...


class TestFileReader(FileReaderContract): ...


class TestFilesTakenAway(FilesTakenAwayContract): ...


class TestForeignRows(ForeignRowsContract): ...


class TestRobots(RobotsContract): ...


class TestEscalations(EscalationsContract): ...


class TestEscalationQueue(EscalationQueueContract): ...


class TestConclusions(ConclusionsContract): ...


class TestSupportAgreement(SupportAgreementContract): ...


class TestMonths(MonthsContract): ...


class TestRoles(RolesContract): ...


class TestGrants(GrantsContract): ...


class TestGrantedDeletes(GrantedDeletesContract): ...


class TestSupervision(SupervisionContract): ...


def test_every_suite_is_bound() -> None:
    bound = {base for thing in globals().values() if isinstance(thing, type) for base in thing.__bases__}
    assert set(all_contracts()) - bound == {MissingMonthContract}, "memory has room for every month"
