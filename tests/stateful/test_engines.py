"""Both engines are the same chain: what a campaign finds on revm counts as if it were found on py-evm."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from peerwatt.signing import Domain, Withdrawal
from stateful.checks import violations
from twin import STRANGER, Difference, fresh
from twin.chain import SILENT, Contract, Log
from twin.engines import GAS_LIMIT, PY_EVM, Engine, Revm, installed
from twin.keys import Key

EACH = pytest.mark.parametrize("name", installed())
ALICE = Key.named("alice")
SENDER = STRANGER.address
# What the contracts need of a chain, each by itself.
PROBE = """
# pragma version 0.4.3
# pragma evm-version prague

event Kept:
    number: indexed(uint256)
    text: String[64]

interface Probe:
    def keep_and_fail(number: uint256): nonpayable

kept: public(uint256)
passing: transient(uint256)

@external
def keep(number: uint256, text: String[64]) -> uint256:
    before: uint256 = self.passing
    self.passing = number
    self.kept = number
    log Kept(number=number, text=text)
    return before

@external
def keep_and_fail(number: uint256):
    self.kept = number
    log Kept(number=number, text="undone")
    raise "probe: failed"

@external
def try_and_go_on(number: uint256) -> bool:
    done: bool = raw_call(
        self, abi_encode(number, method_id=method_id("keep_and_fail(uint256)")), revert_on_failure=False
    )
    log Kept(number=self.kept, text="went on")
    return done

@external
def use_up():
    self.kept = 8
    assert self.kept > 100, UNREACHABLE

@external
def give_no_reason():
    assert self.kept > 100

@view
@external
def where() -> (uint256, uint256, address):
    return block.timestamp, chain.id, msg.sender

@view
@external
def signer(digest: bytes32, v: uint256, r: uint256, s: uint256) -> address:
    return ecrecover(digest, v, r, s)
"""


def make(name: str) -> Engine:
    return Revm() if name == "revm" else PY_EVM


def probe_on(engine: Engine) -> Contract:
    return Contract(engine.deploy(boa.loads_partial(PROBE), (), SENDER), engine)


def logs_of(outcome: Any, probe: Contract) -> list[Log]:
    return probe.decode(outcome.logs.get(probe.address.lower(), []))


@EACH
def test_engine__a_call__kept_logged_and_answered(name: str) -> None:
    engine = make(name)
    with engine.anchor():
        probe = probe_on(engine)
        outcome = probe.send(SENDER, "keep", 7, "seven" * 12)
        assert (outcome.reason, outcome.value) == (None, 0)
        assert logs_of(outcome, probe) == [Log("Kept", {"number": 7, "text": "seven" * 12})]
        assert probe.view("kept") == engine.storage(probe.address, 0) == 7
        assert outcome.gas > 20_000


@EACH
def test_engine__the_next_call__transient_storage_is_empty(name: str) -> None:
    engine = make(name)
    with engine.anchor():
        probe = probe_on(engine)
        assert [probe.send(SENDER, "keep", number, "").value for number in (7, 8)] == [0, 0]


@EACH
def test_engine__a_call_that_reverts__leaves_nothing_but_its_reason(name: str) -> None:
    engine = make(name)
    with engine.anchor():
        probe = probe_on(engine)
        probe.send(SENDER, "keep", 7, "")
        outcome = probe.send(SENDER, "keep_and_fail", 8)
        assert (outcome.reason, outcome.logs) == ("probe: failed", {})
        assert engine.storage(probe.address, 0) == 7
        silent = probe.send(SENDER, "give_no_reason")
        assert silent.reason is not None
        assert silent.reason.startswith(SILENT)


@EACH
def test_engine__a_call_within_reverts__its_words_and_logs_undone(name: str) -> None:
    engine = make(name)
    with engine.anchor():
        probe = probe_on(engine)
        probe.send(SENDER, "keep", 7, "")
        outcome = probe.send(SENDER, "try_and_go_on", 8)
        assert outcome.value is False
        assert logs_of(outcome, probe) == [Log("Kept", {"number": 7, "text": "went on"})]


@EACH
def test_engine__a_call_that_uses_up_its_gas__leaves_nothing(name: str) -> None:
    engine = make(name)
    with engine.anchor():
        probe = probe_on(engine)
        outcome = probe.send(SENDER, "use_up")
        assert outcome.reason is not None
        assert outcome.reason.startswith(SILENT)
        assert outcome.gas == GAS_LIMIT
        assert engine.storage(probe.address, 0) == 0


@EACH
def test_engine__a_static_call__changes_nothing(name: str) -> None:
    engine = make(name)
    with engine.anchor():
        probe = probe_on(engine)
        outcome = probe.send(SENDER, "keep", 7, "", static=True)
        assert outcome.reason is not None
        assert engine.storage(probe.address, 0) == 0


@EACH
def test_engine__time_sender_and_chain__as_set(name: str) -> None:
    engine = make(name)
    with engine.anchor():
        probe = probe_on(engine)
        engine.now = 1_900_000_000
        assert engine.now == 1_900_000_000
        assert probe.view("where") == (1_900_000_000, engine.chain_id, STRANGER.low)
        engine.now = 1_900_000_001
        assert probe.view("where")[0] == 1_900_000_001


@EACH
def test_engine__a_signature__recovers_to_its_signer(name: str) -> None:
    engine = make(name)
    with engine.anchor():
        probe = probe_on(engine)
        message, domain = Withdrawal(ALICE.address, ALICE.address, 1, 0, 1), Domain(engine.chain_id, probe.address)
        signature = ALICE.sign(message, domain)
        words = (message.digest(domain), signature.v, signature.r, signature.s)
        assert probe.view("signer", *words) == ALICE.low
        assert probe.view("signer", words[0], 99, *words[2:]) == "0x" + "00" * 20


@EACH
def test_engine__anchor__time_and_state_undone_one_in_the_other(name: str) -> None:
    engine = make(name)
    with engine.anchor():
        probe = probe_on(engine)
        began = engine.now
        probe.send(SENDER, "keep", 1, "")
        with engine.anchor():
            engine.now = began + 10
            probe.send(SENDER, "keep", 2, "")
            with engine.anchor():
                probe.send(SENDER, "keep", 3, "")
            assert (engine.storage(probe.address, 0), engine.now) == (2, began + 10)
        assert (engine.storage(probe.address, 0), engine.now) == (1, began)


@EACH
def test_engine__the_next_contract__at_the_address_foretold(name: str) -> None:
    engine = make(name)
    with engine.anchor():
        address = engine.address_after(1, SENDER)
        probe_on(engine)
        second = engine.deploy(boa.loads_partial(PROBE), (), SENDER, address)
        assert str(second.address) == address


@EACH
def test_campaign__a_bit_flipped_in_storage__is_found(name: str) -> None:
    with fresh(engine=name) as twin:
        home = twin.home("alice")
        assert violations(twin, thorough=True) == twin.differences() == []
        address, slot = twin.contracts.market.address, twin.market_storage.slot("wallets", home.low)
        word = twin.engine.storage(address, slot)
        twin.engine.write_storage(address, slot, word ^ 1)
        assert [found.partition(":")[0] for found in violations(twin, thorough=True)] == [
            "contract_covers_free_money",
            "contract_conserves_money",
        ]
        with pytest.raises(Difference, match="wallets"):
            twin.compare_quickly([home.low], range(0))
        assert twin.differences() != []
