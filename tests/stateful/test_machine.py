"""All acts of the design in random order, as hypothesis chooses and shrinks them; all promises after every step."""

from __future__ import annotations

import random
from contextlib import ExitStack

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stateful.checks import violations
from stateful.life import SETUPS, Life
from twin import fresh

CHOICES = st.randoms(use_true_random=False)


class MarketMachine(RuleBasedStateMachine):
    """A life whose acts, times and values are hypothesis's choice."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.life: Life | None = None
        self.touched: list[str] = []

    @initialize(rng=CHOICES, setup=st.sampled_from(SETUPS))
    def begin(self, rng: random.Random, setup: object) -> None:
        self.life = Life(self.stack.enter_context(fresh(setup)), rng)

    def teardown(self) -> None:
        if self.life is not None:
            self.life.twin.compare()
        self.stack.close()

    def _do(self, rng: random.Random, name: str) -> None:
        assert self.life is not None
        self.life.rng = rng
        self.life.last_act = name
        self.touched = getattr(self.life, name)()

    @invariant()
    @precondition(lambda self: self.life is not None)
    def contracts_and_reference_are_the_same_market(self) -> None:
        assert self.life is not None
        self.life.check(self.touched, thorough=True)

    @invariant()
    @precondition(lambda self: self.life is not None)
    def promises_hold(self) -> None:
        assert self.life is not None
        assert violations(self.life.twin, thorough=True) == []


def _add_rule(name: str) -> None:
    def do(self: MarketMachine, rng: random.Random) -> None:
        self._do(rng, name)

    do.__name__ = name
    setattr(MarketMachine, name, rule(rng=CHOICES)(do))


ACTS = (
    "time_passes", "time_passes_again", "relay_orders", "relay_more_orders", "place", "cancel", "relay_cancel",
    "clear", "clear_again", "relay_report", "relay_due", "relay_all", "relay_mixed", "deposit", "withdraw", "enrol",
    "move_out", "revoke", "swap_meter", "set_terms", "restore_terms", "publish_tariff", "set_numbers", "pause",
    "hand_over", "authorise", "rate", "wind_down", "mend", "abandon",
)  # fmt: skip
