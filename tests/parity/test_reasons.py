"""Every reason of docs/contract.md, met by the contracts and by the reference at the same act."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boa
import pytest

from parity.direct import DIRECT, OTHERS, Direct
from parity.scenes import MORE, SCENES, Scene
from peerwatt.market import relay as items
from peerwatt.market.records import pack
from peerwatt.market.words import TableWord
from peerwatt.reference import SELL, Refused, Registry, reasons
from peerwatt.reference.parameters import MarketParameters, RegistryParameters
from peerwatt.reference.tariffs import TariffHead
from twin import NETWORK, OPERATOR, REGULATOR, STRANGER, TABLES, Home, Key, Setup, Twin, fresh
from twin.chain import CONTRACTS, ZERO, compiled

MOCKS = Path(__file__).parent / "mocks"
ODD = Setup(token=MOCKS / "OddToken.vy")
CODES = reasons.CODES
# Reasons that need a world of their own: each has a test below.
APART = {
    "meters: not the bound meter",
    "enrolment: market full",
    "market: senseless parameter",
    "registry: senseless parameter",
    "relay: unknown item",
    "relay: item cut short",
    "tariffs: no version left",
    "wallets: nothing received",
    "wallets: transfer failed",
}


@pytest.mark.parametrize("reason", SCENES)
def test_relay__bad_item__skipped_or_reverts_with_its_reason(reason: str) -> None:
    _skip_and_revert(SCENES[reason], reason)


@pytest.mark.parametrize("scene", MORE, ids=lambda scene: scene.__name__)
def test_relay__bad_item_in_another_way__skipped_or_reverts(scene: Scene) -> None:
    _skip_and_revert(scene, MORE[scene])


def _skip_and_revert(scene: Scene, reason: str) -> None:
    with fresh() as twin:
        item = scene(twin)
        good = twin.bid_item(twin.home("bystander"), twin.gated + 1, twin.gated + 1, 100, 200)
        assert twin.relay(good, item, strict=True) in (reason, "offers: paused", "offers: market closed")
        assert twin.relay(item, strict=True) == reason
        assert twin.relay(item, item) == [CODES[reason]] * 2
        twin.compare(thorough=False)


# A paused market enrols nobody, so these have no bystander.
@pytest.fixture(autouse=True)
def _bystander_of_a_stopped_market(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Twin.home

    def home(self: Twin, name: str, **options: Any) -> Home:
        if name == "bystander" and self.market.book_state.paused:
            return Home.named("bystander")
        return make(self, name, **options)

    monkeypatch.setattr(Twin, "home", home)


@pytest.mark.parametrize("reason", DIRECT)
def test_act__direct__reverts_with_its_reason(reason: str) -> None:
    with fresh() as twin:
        assert DIRECT[reason](twin) == reason
        twin.compare(thorough=False)


@pytest.mark.parametrize(("reason", "act"), OTHERS)
def test_act__other__reverts_with_its_reason(reason: str, act: Direct) -> None:
    with fresh() as twin:
        assert act(twin) == reason
        twin.compare(thorough=False)


def test_tables__all_reasons__have_a_scene() -> None:
    assert set(SCENES) | {"meters: not the bound meter"} == set(CODES)
    known = set(CODES) | reasons.DIRECT | {"relay: item cut short"}
    assert set(SCENES) | set(DIRECT) | APART == known
    assert set(MORE.values()) <= set(CODES)


def test_tables__codes__the_registry_knows_their_reasons() -> None:
    with fresh() as twin:
        found = {code: twin.contracts.registry.view("reason", code) for code in range(64)}
    assert {code: reason for code, reason in found.items() if reason} == reasons.REASONS


def test_place__another_meter__reverts() -> None:
    with fresh() as twin:
        home, window = twin.home("alice"), twin.gated + 1
        refused = twin.place(home, SELL, window, window, 100, 20, meter=STRANGER.address)
        assert refused == "meters: not the bound meter"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([5 << 248], "relay: unknown item"),
        ([0], "relay: unknown item"),
        ([255 << 248, 1, 2, 3], "relay: unknown item"),
        ([1 << 248, 0, 0], "relay: item cut short"),
        ([2 << 248], "relay: item cut short"),
        ([3 << 248 | 9 << 224, 0, 0, 0, 0], "relay: item cut short"),
        ([3 << 248, 0, 0], "relay: item cut short"),
    ],
)
@pytest.mark.parametrize("after_a_good_one", [False, True])
def test_relay__words_of_no_item__reverts_always(words: list[int], reason: str, after_a_good_one: bool) -> None:
    with fresh() as twin:
        home = twin.home("alice")
        good = items.pack([twin.bid_item(home, twin.gated + 1, twin.gated + 1, 100, 200)])
        assert twin.relay_words((good if after_a_good_one else []) + words, reason) == reason
        twin.compare(thorough=False)


def test_enrol__market_full__refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with fresh() as twin:
        layout = twin.contracts.registry.deployed.compiler_data.storage_layout["storage_layout"]
        slot = layout["enrolment"]["participants"]["slot"]
        boa.env.set_storage(twin.contracts.registry.deployed.address, slot, 2**24 - 1)
        monkeypatch.setattr(Registry, "participants", property(lambda self: 2**24 - 1))
        assert twin.enrol(Home.named("alice")) == "enrolment: market full"
        twin.compare(thorough=False)


def test_publish_tariff__last_version__refused() -> None:
    with fresh() as twin:
        head, registry = TariffHead(2**15 - 1, 300), twin.contracts.registry.address
        rows = [TableWord(row).encode() for row in (TABLES.surcharges, TABLES.haircuts, TABLES.rebates)]
        done = twin.act(
            twin.contracts.market,
            "set_tariff",
            (pack(head), 2**15 - 1, *rows),
            registry,
            lambda: twin.market.set_tariff(twin.now, registry, head, 2**15 - 1, TABLES),
        )
        assert done is None
        assert twin.publish_tariff(300, TABLES) == "tariffs: no version left"
        twin.compare(thorough=False)


@pytest.mark.parametrize(
    ("manners", "received", "reason"),
    [(1, 0, "wallets: transfer failed"), (2, 0, "wallets: nothing received"), (3, 67, 67)],
)
def test_deposit__odd_token__as_measured(manners: int, received: int, reason: object) -> None:
    with fresh(ODD) as twin:
        home = twin.home("alice", deposit=1_000)
        twin.mint(home.account, 100)
        twin.contracts.token.send(STRANGER.address, "behave", manners)
        found = twin.act(
            twin.contracts.market,
            "deposit",
            (100,),
            home.account.address,
            lambda: twin.market.deposit(twin.now, home.account.address, 100, received, manners != 1),
        )
        assert found == reason
        twin.compare(thorough=False)


def test_withdraw__token_that_returns_false__refused() -> None:
    with fresh(ODD) as twin:
        home = twin.home("alice", deposit=1_000)
        twin.contracts.token.send(STRANGER.address, "behave", 1)
        refused = twin.act(
            twin.contracts.market,
            "withdraw",
            (100, home.account.address),
            home.account.address,
            lambda: twin.market.withdraw(twin.now, home.account.address, 100, home.account.address, False),
        )
        assert refused == "wallets: transfer failed"
        twin.compare(thorough=False)


SETTERS: list[tuple[str, tuple[Any, ...]]] = [
    ("bind", (STRANGER.address, 0, 0, 0, 0)),
    ("set_device", (STRANGER.address, 0)),
    ("revoke", (STRANGER.address,)),
    ("set_tariff", (0, 0, 0, 0, 0)),
    ("set_feeder", (0, 0)),
    ("set_agent", (STRANGER.address, STRANGER.address, 0)),
    ("set_rated", (STRANGER.address, True)),
    ("set_paused", (True,)),
    ("close_book", ()),
    ("set_fund_accounts", (STRANGER.address, STRANGER.address)),
]


@pytest.mark.parametrize("caller", [STRANGER, OPERATOR, REGULATOR, NETWORK], ids=lambda key: key.low[:6])
def test_setters__not_the_registry__revert(caller: Key) -> None:
    with fresh() as twin:
        for setter, arguments in SETTERS:
            outcome = twin.contracts.market.send(caller.address, setter, *arguments)
            assert outcome.reason == "participants: only the registry", setter
        twin.compare(thorough=False)


MARKET_LIMITS: list[tuple[int, int, bool]] = [
    (2, 59, False), (2, 60, True), (2, 86_400, True), (2, 86_401, False),
    (3, 0, True), (3, 86_400, True), (3, 86_401, False),
    (4, 2**64 - 65_535 * 500 - 1, True), (4, 2**64 - 65_535 * 500, False), (4, 2**256 - 1, False),
    (5, 0, False), (5, 2**256 - 1, False),
    (6, 0, False), (6, 2**32 - 1, True), (6, 2**32, False),
    (7, 0, False), (7, 2**32 - 1, True), (7, 2**32, False),
    (8, 0, False), (8, 2**24 - 1, True), (8, 2**24, False),
    (9, 10_000, True), (9, 10_001, False),
    (10, 0, False), (10, 2**32 - 1, True), (10, 2**32, False),
]  # fmt: skip
ADDRESSES = (0, 1, 11, 12)


@pytest.mark.parametrize(("place", "value", "sensible"), MARKET_LIMITS)
def test_market__parameters_at_their_limits__refused_or_not(place: int, value: int, sensible: bool) -> None:
    arguments: list[Any] = [STRANGER.address, STRANGER.address, *Setup().numbers, *[STRANGER.address] * 2]
    arguments[place] = value
    assert (
        _deploys("EnergyMarket", arguments)
        == _makes(MarketParameters, arguments)
        == (None if sensible else "market: senseless parameter")
    )


@pytest.mark.parametrize("place", ADDRESSES)
def test_market__zero_address__refused(place: int) -> None:
    arguments: list[Any] = [STRANGER.address, STRANGER.address, *Setup().numbers, *[STRANGER.address] * 2]
    arguments[place] = ZERO
    reason = "market: senseless parameter"
    assert _deploys("EnergyMarket", arguments) == _makes(MarketParameters, arguments) == reason


@pytest.mark.parametrize("place", [0, 1, 2, 4, 5])
def test_registry__zero_address__refused(place: int) -> None:
    arguments: list[Any] = [STRANGER.address] * 3 + [1] + [STRANGER.address] * 2
    arguments[place] = ZERO
    reason = "registry: senseless parameter"
    assert _deploys("EnergyRegistry", [*arguments, ZERO]) == _makes(RegistryParameters, arguments) == reason


def test_registry__predecessor_without_code__refused() -> None:
    arguments: list[Any] = [STRANGER.address] * 3 + [1] + [STRANGER.address] * 3
    assert _deploys("EnergyRegistry", arguments) == "registry: senseless parameter"


@pytest.mark.parametrize(("bitmap", "reason"), [(2**64 - 1, None), (2**64, "enrolment: class out of bounds")])
def test_registry__classes_out_of_bounds__refused(bitmap: int, reason: str | None) -> None:
    arguments: list[Any] = [STRANGER.address] * 3 + [bitmap] + [STRANGER.address] * 2
    assert _deploys("EnergyRegistry", [*arguments, ZERO]) == _makes(RegistryParameters, arguments) == reason


def _deploys(name: str, arguments: list[Any]) -> str | None:
    deployer = compiled(CONTRACTS / f"{name}.vy")
    with boa.env.anchor():
        try:
            deployer.deploy(*arguments)
        except boa.BoaError as error:
            return str(error.stack_trace.last_frame.pretty_vm_reason)
    return None


def _makes(parameters: Any, arguments: list[Any]) -> str | None:
    try:
        parameters(*arguments)
    except Refused as refusal:
        return refusal.reason
    return None
