"""All acts of the design in random order, as hypothesis chooses and shrinks them; all promises after every step."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from peerwatt.reference.invariants import INVARIANTS
from stateful.checks import CONTRACT_INVARIANTS
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

    def do(self, rng: random.Random, name: str) -> None:
        assert self.life is not None
        self.life.rng = rng
        self.life.last_act = name
        self.touched = getattr(self.life, name)() or []

    @invariant()
    @precondition(lambda self: self.life is not None)
    def contracts_and_reference_are_the_same_market(self) -> None:
        assert self.life is not None
        self.life.compare(self.touched)


# How often each act is among the rules: most of a life is trade.
RULES = {
    "pass_time": 5, "relay_orders": 4, "place": 2, "cancel": 1, "relay_cancel": 1, "clear": 4, "relay_report": 3,
    "relay_due": 2, "relay_all": 2, "relay_mixed": 1, "deposit": 1, "withdraw": 1,
    "enrol": 1, "enrol_many": 1, "move_out": 1,
    "revoke": 1, "swap_meter": 1, "set_terms": 1, "restore_terms": 1, "publish_tariff": 1, "set_numbers": 1,
    "pause": 1, "hand_over": 1, "authorise": 1, "rate": 1, "wind_down": 1, "mend": 2, "abandon": 1,
}  # fmt: skip


def _make_rule(act: str) -> Callable[[MarketMachine, random.Random], None]:
    def do(self: MarketMachine, rng: random.Random) -> None:
        self.do(rng, act)

    return do


def _make_invariant(check: Callable[[Any], list[str]], *, of_reference: bool) -> Callable[[MarketMachine], None]:
    def holds(self: MarketMachine) -> None:
        assert self.life is not None
        assert check(self.life.twin.market if of_reference else self.life.twin) == []

    return precondition(lambda self: self.life is not None)(holds)


for act, times in RULES.items():
    for time in range(times):
        named = _make_rule(act)
        named.__name__ = f"{act}_{time}" if time else act
        setattr(MarketMachine, named.__name__, rule(rng=CHOICES)(named))
for check in (*INVARIANTS, *CONTRACT_INVARIANTS):
    held = _make_invariant(check, of_reference=check in INVARIANTS)
    held.__name__ = check.__name__
    setattr(MarketMachine, check.__name__, invariant()(held))

TestMarketMachine = MarketMachine.TestCase
# A step costs thirty invariants over the whole history: few and short lives, unless asked for more.
TestMarketMachine.settings = settings(max_examples=max(3, settings().max_examples // 10), stateful_step_count=30)
