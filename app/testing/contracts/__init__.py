"""What every adapter must do: one suite for each port, bound by subclassing beside a `harness` fixture.

    class TestRooms(RoomsContract): ...

`all_contracts` lists the suites, so that a binding can be held to completeness.
"""
