"""The state machine on two memory stores: a check of the machine itself, and of memory's own proofs."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from app.testing.machine import comparing
from app.testing.memory import MemoryHarness

pytestmark = pytest.mark.spec("8")


def test_memory_agrees_with_itself() -> None:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        machine = comparing(runner, MemoryHarness(60), MemoryHarness(60))
        run_state_machine_as_test(machine, settings=settings())  # of the profile
