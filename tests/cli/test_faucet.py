"""Money from nowhere, where the chain is a toy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from web3 import Web3
from web3.middleware import Web3Middleware
from web3.types import MakeRequestFn, RPCEndpoint, RPCResponse

from cli.conftest import Run
from cli.secrets import guarded, line
from cli.village import ADA, Village, write_keystore
from peerwatt.cli import session

NEW_KEY = bytes(keccak(text="peerwatt test account newcomer"))
NEW = str(Account.from_key(NEW_KEY).address)


@pytest.fixture
def run(run: Run, village: Village, keys: Path) -> Run:
    """Commands of somebody who has nothing."""
    write_keystore(keys, "new", NEW_KEY)
    return guarded(run, NEW_KEY.hex())


def test_faucet__new_account__gas_money_and_tokens_to_deposit(run: Run, village: Village) -> None:
    ran = run("faucet")
    assert f"{NEW} got 10 ETH for gas and 1000.00 NGN, outside the market." in ran.out
    done = run("wallet", "deposit", "1000 NGN", "--yes", "--json").json
    assert (done["tokens"], done["balance"]) == (0, village.money("1000 NGN"))


def test_faucet__some_gas_money_left__only_what_is_missing(run: Run, village: Village) -> None:
    village.w3.eth.send_transaction(
        {"from": village.relayer.address, "to": NEW, "value": village.w3.to_wei(4, "ether")}
    )
    done = run("faucet", "2.5", "NGN", "--json").json
    assert (done["account"], done["gas_wei"], done["amount"]) == (NEW, 6 * 10**18, 2_500_000)
    assert village.w3.eth.get_transaction_receipt(done["gas_transaction"])["from"] == village.relayer.address
    again = run("faucet", "--json").json
    assert (again["gas_wei"], again["gas_transaction"]) == (0, None)
    assert village.gateway.token_balance(NEW) == village.money("1002.5 NGN")
    assert village.w3.eth.get_balance(NEW) == 10**19


def test_faucet__for_an_address__needs_no_key(run: Run, village: Village) -> None:
    run("faucet", "1 NGN", "--account", ADA.meter)
    assert village.gateway.token_balance(ADA.meter) == village.money("1 NGN")


@pytest.mark.parametrize("unlocked", [[], ["0x" + f"{number:040x}" for number in range(10)]])
def test_faucet__no_local_chain__gives_nothing(
    run: Run, village: Village, monkeypatch: pytest.MonkeyPatch, unlocked: list[str]
) -> None:
    """A public node holds no account; somebody's own node holds others."""

    class Accounts(Web3Middleware):
        def wrap_make_request(self, make_request: MakeRequestFn) -> MakeRequestFn:
            def answer(method: RPCEndpoint, params: Any) -> RPCResponse:
                if method == "eth_accounts":
                    return {"jsonrpc": "2.0", "id": 1, "result": unlocked}
                return make_request(method, params)

            return answer

    other = Web3(village.w3.provider)
    # eth-tester's provider asks for one where it needs a sender.
    other.eth.default_account = village.relayer.address
    other.middleware_onion.add(Accounts)
    monkeypatch.setattr(session, "connect", lambda url: other)
    ran = run("faucet", expect=6)
    assert "gives no money away: it does not hold the accounts of a local chain" in line(ran)
    assert village.gateway.token_balance(NEW) == 0


@pytest.mark.parametrize(
    ("amount", "says"),
    [
        ("0 NGN", "the amount is zero"),
        ("5 EUR", "not in the market's money"),
        ("0.0000001 NGN", "is not a whole number of base units"),
    ],
)
def test_faucet__no_amount__exit_code_2(run: Run, amount: str, says: str) -> None:
    assert says in line(run("faucet", amount, expect=2))


def test_faucet__no_key__says_how_to_make_one(run: Run, keys: Path) -> None:
    (keys / "new").unlink()
    assert "make one with: peerwatt wallet new" in line(run("faucet", expect=5))
