"""EnergyRegistry: agent keys, ratings, wind-down, the words for the market's codes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import boa
import pytest

from contracts.helpers import (
    CONTRACTS,
    WINDOW_SECONDS,
    ZERO,
    Registry,
    Signature,
    address,
    event,
    key,
    now,
    pack,
    refused,
)

ALICE, BOB = key(71), key(72)
AGENT, RELAYER = address(73), address(74)
CAPS = (2**64 - 1, 200, 90, 2**128 - 1)
WORD = pack((0, 2**64 - 1), (64, 200), (72, 90), (80, 2**128 - 1))
WEEK, DAY = 7 * 86_400, 86_400
CLEARED = 1_000


@pytest.fixture(scope="module")
def deployed() -> Iterator[Registry]:
    with boa.env.anchor():
        yield Registry()


@pytest.fixture
def registry(deployed: Registry) -> Iterator[Registry]:
    with boa.env.anchor():
        yield deployed


def authorise_signed(registry: Registry, nonce: int, signer: Any = ALICE, agent: str = AGENT) -> None:
    message = (ALICE.address, agent, *CAPS, nonce)
    signed = registry.sign(signer, "Agent", *message)
    registry.contract.authorise_signed(*message, *signed, sender=RELAYER)


def rate_signed(
    registry: Registry, rated: bool, nonce: int, signer: Any = ALICE, deadline: int | None = None
) -> None:
    message = (ALICE.address, rated, nonce, now() if deadline is None else deadline)
    signed = registry.sign(signer, "Rating", *message)
    registry.contract.rate_signed(*message, *signed, sender=RELAYER)


def rated(registry: Registry) -> bool:
    return registry.market.wallets(ALICE.address) >> 238 == 1


def silent(registry: Registry, seconds: int, open_wh: int = 1) -> None:
    """The book's newest cleared window, and the clock that long after the next one's start."""
    registry.market.poke_book_state(pack((0, CLEARED), (32, open_wh)))
    boa.env.evm.patch.timestamp = (CLEARED + 1) * WINDOW_SECONDS + seconds


def test_authorise__account__sets_the_word(registry: Registry) -> None:
    registry.contract.authorise(AGENT, *CAPS, sender=ALICE.address)
    assert registry.market.agents(ALICE.address, AGENT) == WORD
    assert registry.contract.agent_nonces(ALICE.address) == 1
    registry.contract.authorise(AGENT, 0, 0, 0, 0, sender=ALICE.address)
    assert registry.market.agents(ALICE.address, AGENT) == 0
    assert registry.contract.agent_nonces(ALICE.address) == 2


@pytest.mark.parametrize("agent", [ZERO, ALICE.address], ids=["zero", "account"])
def test_authorise__bad_agent__reverts(registry: Registry, agent: str) -> None:
    with refused("participants: bad agent"):
        registry.contract.authorise(agent, *CAPS, sender=ALICE.address)
    with refused("participants: bad agent"):
        authorise_signed(registry, 0, agent=agent)


def test_authorise_signed__relayed__sets_the_word_once(registry: Registry) -> None:
    authorise_signed(registry, 0)
    assert registry.market.agents(ALICE.address, AGENT) == WORD
    with refused("participants: nonce used"):
        authorise_signed(registry, 0)
    with refused("participants: nonce used"):
        authorise_signed(registry, 2)


def test_authorise_signed__revoked_by_call_since__cannot_come_back(registry: Registry) -> None:
    registry.contract.authorise(AGENT, 0, 0, 0, 0, sender=ALICE.address)
    with refused("participants: nonce used"):
        authorise_signed(registry, 0)


def test_authorise_signed__by_another__reverts(registry: Registry) -> None:
    with refused("signing: bad signature"):
        authorise_signed(registry, 0, signer=BOB)


@pytest.mark.parametrize("position", range(5))
def test_authorise_signed__field_changed__reverts(registry: Registry, position: int) -> None:
    message: list[Any] = [ALICE.address, AGENT, 5, 6, 7, 8, 0]
    signed = registry.sign(ALICE, "Agent", *message)
    message[position + 1] = RELAYER if position == 0 else message[position + 1] + 1
    with refused("signing: bad signature"):
        registry.contract.authorise_signed(*message, *signed)


def test_mandates__zero_account__reverts(registry: Registry) -> None:
    for signature in (Signature(0, 0), Signature(1, 0)):
        with refused("signing: bad signature"):
            registry.contract.authorise_signed(ZERO, AGENT, *CAPS, 0, *signature)
        with refused("signing: bad signature"):
            registry.contract.rate_signed(ZERO, True, 0, now(), *signature)


def test_rate__account__sets_and_clears_the_flag(registry: Registry) -> None:
    registry.contract.rate(True, sender=ALICE.address)
    assert rated(registry)
    registry.contract.rate(False, sender=ALICE.address)
    assert not rated(registry)
    assert registry.contract.rating_nonces(ALICE.address) == 2


def test_rate_signed__relayed__sets_the_flag_once(registry: Registry) -> None:
    rate_signed(registry, True, 0)
    assert rated(registry)
    with refused("participants: nonce used"):
        rate_signed(registry, True, 0)
    rate_signed(registry, False, 1)
    assert not rated(registry)


def test_rate_signed__expired__reverts(registry: Registry) -> None:
    with refused("participants: message expired"):
        rate_signed(registry, True, 0, deadline=now() - 1)


def test_rate_signed__by_another__reverts(registry: Registry) -> None:
    with refused("signing: bad signature"):
        rate_signed(registry, True, 0, signer=BOB)


@pytest.mark.parametrize("changed", [1, 3])
def test_rate_signed__field_changed__reverts(registry: Registry, changed: int) -> None:
    message: list[Any] = [ALICE.address, False, 0, now()]
    signed = registry.sign(ALICE, "Rating", *message)
    message[changed] = True if changed == 1 else now() + 1
    with refused("signing: bad signature"):
        registry.contract.rate_signed(*message, *signed)


def test_wind_down__week_of_silence_and_a_day_of_notice__closes(registry: Registry) -> None:
    silent(registry, WEEK)
    registry.contract.announce_wind_down(sender=RELAYER)
    assert event(registry.contract, "WindDownAnnounced") == {"cleared": CLEARED}
    assert (registry.contract.notice_time(), registry.contract.notice_cleared()) == (now(), CLEARED)
    boa.env.evm.patch.timestamp += DAY - 1
    with refused("auction: notice too young"):
        registry.contract.wind_down(sender=RELAYER)
    boa.env.evm.patch.timestamp += 1
    registry.contract.wind_down(sender=RELAYER)
    assert registry.market.book_state() == pack((0, CLEARED), (32, 1), (96, 1))
    for act in (registry.contract.announce_wind_down, registry.contract.wind_down):
        with refused("auction: market closed"):
            act()


def test_wind_down__nothing_open__reverts(registry: Registry) -> None:
    silent(registry, WEEK, open_wh=0)
    for act in (registry.contract.announce_wind_down, registry.contract.wind_down):
        with refused("auction: nothing open"):
            act()


def test_wind_down__a_second_before_the_week__reverts(registry: Registry) -> None:
    silent(registry, WEEK - 1)
    for act in (registry.contract.announce_wind_down, registry.contract.wind_down):
        with refused("auction: clear first"):
            act()


def test_wind_down__without_notice__reverts(registry: Registry) -> None:
    silent(registry, WEEK + DAY)
    with refused("auction: no notice"):
        registry.contract.wind_down()


def test_announce__a_notice_stands__it_cannot_be_renewed(registry: Registry) -> None:
    silent(registry, WEEK)
    registry.contract.announce_wind_down()
    boa.env.evm.patch.timestamp += DAY - 1
    with refused("auction: already announced"):
        registry.contract.announce_wind_down()
    boa.env.evm.patch.timestamp += 1
    registry.contract.wind_down()


def test_announce__cleared_since_the_notice__a_new_one_counts(registry: Registry) -> None:
    silent(registry, WEEK)
    registry.contract.announce_wind_down()
    boa.env.evm.patch.timestamp += WEEK
    registry.market.poke_book_state(pack((0, CLEARED + 1), (32, 1)))
    registry.contract.announce_wind_down()
    assert (registry.contract.notice_time(), registry.contract.notice_cleared()) == (now(), CLEARED + 1)


def test_wind_down__cleared_since_the_notice__reverts(registry: Registry) -> None:
    silent(registry, WEEK + DAY)
    registry.contract.announce_wind_down()
    registry.market.poke_book_state(pack((0, CLEARED + 1), (32, 1)))
    boa.env.evm.patch.timestamp += 2 * DAY
    with refused("auction: no notice"):
        registry.contract.wind_down()


def test_reason__every_code_of_the_docs__to_the_letter(registry: Registry) -> None:
    text = (CONTRACTS.parent / "docs" / "contract.md").read_text(encoding="utf-8")
    told = {int(code): words for code, words in re.findall(r"^\| (\d+) \| `([^`]+)` \|", text, re.MULTILINE)}
    assert len(told) >= 31
    assert {code: registry.contract.reason(code) for code in told} == told


def test_reason__no_such_code__empty(registry: Registry) -> None:
    assert [registry.contract.reason(code) for code in (0, 35, 2**256 - 1)] == ["", "", ""]
