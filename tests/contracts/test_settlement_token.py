"""SettlementToken: ERC-20 to the letter, ERC-2612 permit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest

from contracts.helpers import (
    HALF_ORDER,
    ORDER,
    ZERO,
    address,
    chain_id,
    deploy_token,
    digest,
    event,
    key,
    now,
    refused,
    sign,
)

ALICE, BOB, CAROL = address(21), address(22), address(23)
OWNER = key(21)
MAX = 2**256 - 1


@pytest.fixture(scope="module")
def deployed() -> Any:
    with boa.env.anchor():
        contract = deploy_token()
        contract.mint(ALICE, 1_000)
        yield contract


@pytest.fixture
def token(deployed: Any) -> Iterator[Any]:
    with boa.env.anchor():
        yield deployed


def domain(token: Any, **changed: Any) -> dict[str, Any]:
    fields = {"name": "Test Naira", "version": "1", "chainId": chain_id(), "verifyingContract": token.address}
    return fields | changed


def permit(
    token: Any, value: int = 70, nonce: int = 0, deadline: int | None = None, **changed: Any
) -> list[Any]:
    until = now() if deadline is None else deadline
    signed = sign(OWNER, domain(token, **changed), "Permit", OWNER.address, BOB, value, nonce, until)
    return [OWNER.address, BOB, value, until, signed.v, word(signed.r), word(signed.s)]


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def test_deploy__arguments__name_symbol_decimals_minter(token: Any) -> None:
    assert (token.name(), token.symbol(), token.decimals()) == ("Test Naira", "tNGN", 6)
    assert token.minter() == boa.env.eoa
    assert token.totalSupply() == 1_000 == token.balanceOf(ALICE)


def test_deploy__other_decimals__kept() -> None:
    with boa.env.anchor():
        assert deploy_token(18).decimals() == 18


def test_mint__deployer__grows_supply_and_logs(token: Any) -> None:
    token.mint(BOB, 5)
    assert event(token, "Transfer") == {"sender": ZERO, "receiver": BOB, "value": 5}
    assert token.totalSupply() == 1_005 and token.balanceOf(BOB) == 5


def test_mint__stranger__reverts(token: Any) -> None:
    with refused("token: not the minter"):
        token.mint(ALICE, 1, sender=ALICE)


def test_mint__zero_address__reverts(token: Any) -> None:
    with refused("token: zero address"):
        token.mint(ZERO, 1)


def test_mint__supply_past_the_word__reverts(token: Any) -> None:
    token.mint(BOB, MAX - 1_000)
    with refused("token: supply overflow"):
        token.mint(BOB, 1)


@pytest.mark.parametrize("amount", [0, 1, 1_000])
def test_transfer__within_balance__moves_and_logs(token: Any, amount: int) -> None:
    assert token.transfer(BOB, amount, sender=ALICE) is True
    assert event(token, "Transfer") == {"sender": ALICE, "receiver": BOB, "value": amount}
    assert (token.balanceOf(ALICE), token.balanceOf(BOB)) == (1_000 - amount, amount)
    assert token.totalSupply() == 1_000


def test_transfer__to_oneself__changes_nothing(token: Any) -> None:
    assert token.transfer(ALICE, 400, sender=ALICE) is True
    assert token.balanceOf(ALICE) == 1_000


def test_transfer__over_balance__reverts(token: Any) -> None:
    with refused("token: not enough balance"):
        token.transfer(BOB, 1_001, sender=ALICE)


def test_transfer__zero_address__reverts(token: Any) -> None:
    with refused("token: zero address"):
        token.transfer(ZERO, 1, sender=ALICE)


def test_approve__again__overwrites_and_logs(token: Any) -> None:
    assert token.approve(BOB, 500, sender=ALICE) is True
    assert token.approve(BOB, 30, sender=ALICE) is True
    assert event(token, "Approval") == {"owner": ALICE, "spender": BOB, "value": 30}
    assert token.allowance(ALICE, BOB) == 30 and token.allowance(BOB, ALICE) == 0


def test_transfer_from__within_allowance__spends_it(token: Any) -> None:
    token.approve(BOB, 500, sender=ALICE)
    assert token.transferFrom(ALICE, CAROL, 200, sender=BOB) is True
    assert event(token, "Transfer") == {"sender": ALICE, "receiver": CAROL, "value": 200}
    assert token.allowance(ALICE, BOB) == 300 and token.balanceOf(CAROL) == 200


def test_transfer_from__endless_allowance__stays(token: Any) -> None:
    token.approve(BOB, MAX, sender=ALICE)
    token.transferFrom(ALICE, CAROL, 200, sender=BOB)
    assert token.allowance(ALICE, BOB) == MAX


def test_transfer_from__nothing_without_allowance__is_a_transfer(token: Any) -> None:
    assert token.transferFrom(ALICE, CAROL, 0, sender=BOB) is True
    assert event(token, "Transfer") == {"sender": ALICE, "receiver": CAROL, "value": 0}


def test_transfer_from__over_allowance__reverts(token: Any) -> None:
    token.approve(BOB, 199, sender=ALICE)
    with refused("token: not enough allowance"):
        token.transferFrom(ALICE, CAROL, 200, sender=BOB)


def test_transfer_from__over_balance__reverts_and_keeps_allowance(token: Any) -> None:
    token.approve(BOB, 2_000, sender=ALICE)
    with refused("token: not enough balance"):
        token.transferFrom(ALICE, CAROL, 1_001, sender=BOB)
    assert token.allowance(ALICE, BOB) == 2_000


def test_transfer_from__zero_receiver__reverts(token: Any) -> None:
    token.approve(BOB, 10, sender=ALICE)
    with refused("token: zero address"):
        token.transferFrom(ALICE, ZERO, 1, sender=BOB)


def test_permit__owner_signed__approves_for_anyone_who_brings_it(token: Any) -> None:
    token.permit(*permit(token), sender=CAROL)
    assert event(token, "Approval") == {"owner": OWNER.address, "spender": BOB, "value": 70}
    assert token.allowance(OWNER.address, BOB) == 70 and token.nonces(OWNER.address) == 1


def test_permit__replayed__reverts(token: Any) -> None:
    signed = permit(token)
    token.permit(*signed)
    with refused("token: bad signature"):
        token.permit(*signed)


def test_permit__next_nonce__approves(token: Any) -> None:
    token.permit(*permit(token))
    token.permit(*permit(token, value=0, nonce=1))
    assert token.allowance(OWNER.address, BOB) == 0 and token.nonces(OWNER.address) == 2


def test_permit__after_deadline__reverts(token: Any) -> None:
    with refused("token: permit expired"):
        token.permit(*permit(token, deadline=now() - 1))


def test_permit__other_value__reverts(token: Any) -> None:
    signed = permit(token)
    signed[2] += 1
    with refused("token: bad signature"):
        token.permit(*signed)


def test_permit__high_s__reverts(token: Any) -> None:
    signed = permit(token)
    s = int.from_bytes(signed[6], "big")
    signed[4], signed[6] = 55 - signed[4], word(ORDER - s)
    assert ORDER - s > HALF_ORDER
    with refused("token: bad signature"):
        token.permit(*signed)


@pytest.mark.parametrize("v", [0, 27, 28, 29])
def test_permit__zero_owner__reverts(token: Any, v: int) -> None:
    with refused("token: bad signature"):
        token.permit(ZERO, BOB, 70, now(), v, word(0), word(0))


@pytest.mark.parametrize(
    "changed",
    [{"name": "Other"}, {"version": "2"}, {"chainId": 5}, {"verifyingContract": CAROL}],
    ids=["name", "version", "chain", "contract"],
)
def test_permit__other_domain__reverts(token: Any, changed: dict[str, Any]) -> None:
    with refused("token: bad signature"):
        token.permit(*permit(token, **changed))


def test_permit__chain_split__old_signature_refused_new_accepted(token: Any) -> None:
    before, old = token.DOMAIN_SEPARATOR(), permit(token)
    own = chain_id()
    boa.env.evm.patch.chain_id = own + 1
    try:
        assert token.DOMAIN_SEPARATOR() != before
        with refused("token: bad signature"):
            token.permit(*old)
        token.permit(*permit(token))
    finally:
        boa.env.evm.patch.chain_id = own
    assert token.DOMAIN_SEPARATOR() == before


def test_domain__erc5267__describes_what_is_signed(token: Any) -> None:
    fields, name, version, chain, contract, salt, extensions = token.eip712Domain()
    assert (fields, salt, extensions) == (b"\x0f", bytes(32), [])
    described = {"name": name, "version": version, "chainId": chain, "verifyingContract": contract}
    assert described == domain(token)
    values = (OWNER.address, BOB, 1, 0, now())
    assert digest(described, "Permit", *values) == digest(domain(token), "Permit", *values)


def test_mint_many__minter__mints_to_each(token: Any) -> None:
    before = token.balanceOf(ALICE), token.balanceOf(BOB), token.totalSupply()
    token.mint_many([ALICE, BOB, ALICE], [5, 7, 1])
    assert (token.balanceOf(ALICE), token.balanceOf(BOB)) == (before[0] + 6, before[1] + 7)
    assert token.totalSupply() == before[2] + 13


def test_mint_many__lengths_differ__reverts(token: Any) -> None:
    with refused("token: lengths differ"):
        token.mint_many([ALICE, BOB], [5])


def test_mint_many__stranger__reverts(token: Any) -> None:
    with refused("token: not the minter"):
        token.mint_many([ALICE], [5], sender=ALICE)
