"""Money into the market and out of it, in words, to the base unit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from web3 import Web3

from cli.conftest import Run
from cli.secrets import guarded, line
from cli.village import ADA, BOLA, Village, write_keystore
from peerwatt.market.senders import KeyAccount

POOR_KEY = bytes(keccak(text="peerwatt test account poor"))
POOR = str(Account.from_key(POOR_KEY).address)


@pytest.fixture
def run(run: Run, village: Village, keys: Path) -> Run:
    """Commands of ada, who has 500 NGN in the market and 1,000 NGN outside."""
    write_keystore(keys, "ada", ADA.account_key)
    return guarded(run, POOR_KEY.hex())


def allowance(village: Village) -> int:
    return int(village.gateway.token.functions.allowance(ADA.account, village.gateway.market.address).call())


def reserve(village: Village, money: str = "200 NGN") -> None:
    """Has ada reserve so much: bids of 2 kWh at 100 NGN/kWh."""
    count = village.money(money) // village.money("200 NGN")
    first = village.window + 2
    village.bid(ADA, first, first + count - 1, "2 kWh", "100 NGN/kWh")


def test_balance__of_a_home__everything_it_has(run: Run, village: Village) -> None:
    reserve(village)
    shown = run("wallet", "balance", "--json").json
    gas_wei = village.w3.eth.get_balance(Web3.to_checksum_address(ADA.account))
    assert shown == {
        "account": ADA.account,
        "gas_wei": gas_wei,
        "tokens": 1_000_000_000,
        "balance": 500_000_000,
        "reserved": 200_000_000,
        "free": 300_000_000,
        "enrolled": True,
        "score": 5000 * 65_536,
        "letter": "BBB+",
    }
    assert run("wallet", "balance").out.splitlines() == [
        f"account                {ADA.account}",
        f"gas money              {gas_wei / 10**18:.4f} ETH",
        "outside the market     1000.00 NGN",
        "in the market          500.00 NGN",
        "  reserved for orders  200.00 NGN",
        "  free                 300.00 NGN",
        "score                  BBB+ (5000.00 of 10000)",
    ]


def test_balance__of_anybody_by_address__needs_no_key(run: Run, keys: Path) -> None:
    (keys / "ada").unlink()
    assert run("wallet", "balance", "--account", BOLA.account.lower(), "--json").json["account"] == BOLA.account
    ran = run("wallet", "balance", "--account", POOR)
    assert "gas money              0 ETH" in ran.out
    assert "score                  none, the account is not enrolled" in ran.out


def test_deposit__confirmed__one_approval_of_exactly_the_amount(run: Run, village: Village) -> None:
    ran = run("wallet", "deposit", "250.5", "NGN", input="y\n")
    text = " ".join(ran.out.split())
    assert f"You deposit 250.50 NGN from {ADA.account} into the market {village.gateway.market.address}" in text
    assert ", which you allow to take just that. Outside you keep 749.50 NGN." in text
    assert "for 2 transactions. Sign and send? [y/N]" in text and "Fees: about 0.0" in text
    assert "250.50 NGN arrived; in the market you have 750.50 NGN, 750.50 NGN free." in text
    assert village.gateway.wallet(ADA.account).balance == 750_500_000
    assert village.gateway.token_balance(ADA.account) == 749_500_000
    assert allowance(village) == 0
    approvals = village.gateway.token.events.Approval().get_logs(
        from_block=village.w3.eth.block_number - 1, argument_filters={"owner": Web3.to_checksum_address(ADA.account)}
    )
    assert [log["args"]["value"] for log in approvals] == [250_500_000]


def test_deposit__with_json__hashes_and_fees_that_were_paid(run: Run, village: Village) -> None:
    address = Web3.to_checksum_address(ADA.account)
    before = village.w3.eth.get_balance(address)
    done = run("wallet", "deposit", "1 ngn", "--yes", "--json").json
    assert done["amount"] == 1_000_000 and done["balance"] == done["free"] == 501_000_000 and done["reserved"] == 0
    assert done["fee_wei"] == before - village.w3.eth.get_balance(address) == before - done["gas_wei"] > 0
    for name in ("approval_transaction", "transaction"):
        assert village.w3.eth.get_transaction_receipt(done[name])["status"] == 1


def test_deposit__approved_already__no_second_approval(run: Run, village: Village) -> None:
    """As after a deposit that stopped between its two transactions."""
    sender = KeyAccount(Account.from_key(ADA.account_key))
    approve = village.gateway.token.functions.approve
    village.gateway.act(sender, approve(village.gateway.market.address, village.money("5 NGN")))
    ran = run("wallet", "deposit", "5 NGN", "--yes", "--json")
    assert ran.json["approval_transaction"] is None
    assert "which may take just that already" in ran.err and "for one transaction" in ran.err
    # Another amount that was approved is replaced.
    village.gateway.act(sender, approve(village.gateway.market.address, village.money("7 NGN")))
    assert run("wallet", "deposit", "5 NGN", "--yes", "--json").json["approval_transaction"]
    assert allowance(village) == 0


BAD_AMOUNTS = [
    ("0 NGN", "the amount is zero"),
    ("0.0000001 NGN", "is not a whole number of base units of NGN; write at most 6 decimals"),
    ("500", "write it like '456.00 NGN'"),
    ("500 USD", "'500 USD' is not in the market's money"),
    ("1,000 NGN", "is ambiguous"),
    ("NGN", "does not start with a number"),
    ("1e3 NGN", "is not in the market's money"),
    ("9" * 41 + " NGN", "at most 40 make sense"),
    ("", "does not start with a number"),
]


@pytest.mark.parametrize(("amount", "says"), BAD_AMOUNTS)
def test_deposit__no_amount__one_line_and_exit_code_2(run: Run, amount: str, says: str) -> None:
    assert says in line(run("wallet", "deposit", amount, expect=2))


@pytest.mark.parametrize(("amount", "says"), BAD_AMOUNTS[:3])
def test_withdraw__no_amount__one_line_and_exit_code_2(run: Run, amount: str, says: str) -> None:
    assert says in line(run("wallet", "withdraw", amount, expect=2))


@pytest.mark.parametrize("command", ["deposit", "withdraw"])
def test_money__negative__exit_code_2(run: Run, command: str) -> None:
    assert "-5" in run("wallet", command, "-5 NGN", expect=2).err
    assert "is negative; amounts are zero or more" in line(run("wallet", command, "--", "-5 NGN", expect=2))


def test_deposit__more_than_there_is__says_how_much_there_is(run: Run, village: Village) -> None:
    ran = run("wallet", "deposit", "1000.000001 NGN", "--yes", expect=6)
    assert f"{ADA.account} has 1000.00 NGN outside the market, 0.000001 NGN too little; deposit less" in line(ran)
    assert allowance(village) == 0


CAPS = ["--for", "1d", "--max-buy", "95", "--min-sell", "95", "--max-reserve"]
AUTHORISE = ["authorise", BOLA.account, *CAPS, "9 NGN"]


@pytest.mark.parametrize(
    ("command", "answer", "says"),
    [
        (["deposit", "5 NGN"], "n\n", "not confirmed; nothing was sent"),
        (["deposit", "5 NGN"], "", "nobody is here to confirm; nothing was sent"),
        (["withdraw", "5 NGN"], "n\n", "not confirmed; nothing was sent"),
        (["withdraw", "--all", "--to", BOLA.account], "\n", "not confirmed; nothing was sent"),
        (AUTHORISE, "n\n", "not confirmed; nothing was sent"),
    ],
)
def test_money__not_confirmed__nothing_is_sent(
    run: Run, village: Village, command: list[str], answer: str, says: str
) -> None:
    block = village.w3.eth.block_number
    assert says in run("wallet", *command, input=answer, expect=7).err
    assert village.w3.eth.block_number == block


@pytest.mark.parametrize("command", [["deposit", "5 NGN"], AUTHORISE])
def test_money__no_gas_money__says_so(run: Run, village: Village, keys: Path, command: list[str]) -> None:
    write_keystore(keys, "poor", POOR_KEY)
    mint = village.gateway.token.functions.mint
    village.gateway.act(village.operator, mint(POOR, village.money("50 NGN")))
    ran = run("wallet", *command, "--account", "poor", "--yes", expect=6)
    assert f"{POOR} has no gas money, and the chain asks for about 0.0" in line(ran)
    assert "(on a local chain: peerwatt faucet)" in ran.err


def test_deposit__wrong_password__nothing_is_sent(run: Run, village: Village, home_folder: Path) -> None:
    (home_folder / "password").write_text("wrong")
    block = village.w3.eth.block_number
    assert "does not open: the password is wrong" in run("wallet", "deposit", "5 NGN", "--yes", expect=5).err
    assert village.w3.eth.block_number == block


def test_withdraw__own_account__free_money_leaves(run: Run, village: Village) -> None:
    reserve(village)
    ran = run("wallet", "withdraw", "100 NGN", input="yes\n")
    text = " ".join(ran.out.split())
    assert f"You withdraw 100.00 NGN from the market to your own account {ADA.account}." in text
    assert "In the market you keep 400.00 NGN, 200.00 NGN free." in text and "Sign and send? [y/N]" in text
    assert f"100.00 NGN went to {ADA.account}; in the market you have 400.00 NGN, 200.00 NGN free." in text
    assert village.gateway.token_balance(ADA.account) == village.money("1100 NGN")


def test_withdraw__to_another__asks_in_clear_words(run: Run, village: Village, keys: Path) -> None:
    write_keystore(keys, "bola", BOLA.account_key)
    ran = run("wallet", "withdraw", "1 NGN", "--account", "ada", "--to", "bola", input="y\n")
    assert f"{BOLA.account} is not your account {ADA.account}. Nobody can call the money back." in ran.out
    assert f"Give 1.00 NGN to {BOLA.account}? [y/N]" in ran.out
    assert village.gateway.token_balance(BOLA.account) == village.money("1001 NGN")
    done = run("wallet", "withdraw", "2 NGN", "--account", "ada", "--to", POOR.lower(), "--yes", "--json").json
    assert (done["recipient"], done["amount"], done["free"]) == (POOR, 2_000_000, 497_000_000)
    assert village.w3.eth.get_transaction_receipt(done["transaction"])["status"] == 1


def test_withdraw__all__what_is_free_and_no_more(run: Run, village: Village) -> None:
    reserve(village)
    done = run("wallet", "withdraw", "--all", "--yes", "--json").json
    assert (done["amount"], done["balance"], done["free"]) == (300_000_000, 200_000_000, 0)
    ran = run("wallet", "withdraw", "--all", "--yes", expect=6)
    assert f"{ADA.account} has 0.00 NGN free; 200.00 NGN is reserved for orders, and becomes free as they" in line(ran)


def test_withdraw__more_than_free__names_free_and_reserved(run: Run, village: Village) -> None:
    reserve(village)
    ran = run("wallet", "withdraw", "300.000001 NGN", "--yes", expect=6)
    assert f"{ADA.account} has 300.00 NGN free, not 300.000001 NGN; 200.00 NGN is reserved for orders" in line(ran)


def test_withdraw__market_paused__money_leaves_all_the_same(run: Run, village: Village) -> None:
    village.gateway.act(village.regulator, village.gateway.registry.functions.set_paused(True))
    assert village.gateway.book_state().paused
    assert run("wallet", "withdraw", "--all", "--yes", "--json").json["balance"] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give an amount such as '500 NGN', or --all"),
        (["5 NGN", "--all"], "give an amount such as '500 NGN', or --all"),
        (["5 NGN", "--to", "0x1234"], "is '0x1234', not an address"),
        (["5 NGN", "--to", "0x" + "00" * 20], "is the zero address"),
        (["5 NGN", "--to", BOLA.account.swapcase().replace("0X", "0x")], "whose checksum is wrong"),
        (["5 NGN", "--to", "MARKET"], "is the market's own EnergyMarket, money sent there is lost"),
        (["5 NGN", "--to", "TOKEN"], "is the market's own SettlementToken, money sent there is lost"),
    ],
)
def test_withdraw__senseless__exit_code_2(run: Run, village: Village, arguments: list[str], says: str) -> None:
    contracts: dict[str, Any] = {"MARKET": village.deployment.market, "TOKEN": village.deployment.token}
    assert says in line(run("wallet", "withdraw", *(contracts.get(word, word) for word in arguments), expect=2))


def test_withdraw__to_unknown_name__names_those_there_are(run: Run) -> None:
    ran = run("wallet", "withdraw", "5 NGN", "--to", "bola", expect=5)
    assert "there is no key 'bola' in" in line(ran) and "there is ada" in ran.err


def test_withdraw__to_a_key_whose_file_says_no_address__asks_for_it(run: Run, keys: Path) -> None:
    path = write_keystore(keys, "silent", POOR_KEY)
    fields = json.loads(path.read_text())
    del fields["address"]
    path.write_text(json.dumps(fields))
    ran = run("wallet", "withdraw", "5 NGN", "--to", "silent", "--account", "ada", expect=5)
    assert f"{path} does not say its address; give the address itself" in line(ran)


def test_withdraw__sign_only__anyone_sends_it_for_who_has_no_gas_money(run: Run, village: Village) -> None:
    sender = KeyAccount(Account.from_key(ADA.account_key))
    gas_wei = village.w3.eth.get_balance(sender.address) - village.w3.to_wei(1, "milliether")
    everything = {"to": Web3.to_checksum_address(POOR), "value": village.w3.to_wei(gas_wei, "wei"), "gas": 21_000}
    sender.send(village.w3, everything)  # type: ignore[arg-type]
    ran = run("wallet", "withdraw", "--all", "--sign-only", "--to", POOR, input="y\n")
    assert "Anyone can send it until " in ran.err and f"Give 500.00 NGN to {POOR}? [y/N]" in ran.err
    signed = ran.json
    assert (signed["type"], signed["message"]["amount"]) == ("Withdrawal", "500000000")
    assert village.gateway.wallet(ADA.account).balance == village.money("500 NGN")
    village.w3.eth.send_transaction({"from": village.relayer.address, "to": signed["to"], "data": signed["data"]})
    assert village.gateway.token_balance(POOR) == village.money("500 NGN")
