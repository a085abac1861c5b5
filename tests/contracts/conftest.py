"""The stores under test. A harness steers one store; the suites bring their own tenants, so it may be shared."""

from __future__ import annotations

import pytest

from app.testing.memory import MemoryHarness


@pytest.fixture
def memory_harness() -> MemoryHarness:
    return MemoryHarness()
