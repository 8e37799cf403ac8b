"""Orders signed elsewhere: written as typed data, taken back with a signature, and nothing changed on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from cli.conftest import Run
from cli.traders import EMS, authorise
from cli.village import ADA, BOLA, CHIDI, Home, Village
from peerwatt.signing.signature import CURVE_ORDER

BUILD = ("order", "build", "buy", "1.2kWh", "--price", "95", "--windows", "4", "--account", BOLA.account)


def sign_elsewhere(data: dict[str, Any], home: Home) -> str:
    """As an external signer does: it knows nothing but the typed data."""
    return str(Account.sign_typed_data(home.account_key, full_message=data).signature.to_0x_hex())


def build(run: Run, *arguments: object) -> dict[str, Any]:
    data: dict[str, Any] = run(*arguments).json
    return data


@pytest.fixture
def submit(run: Run, home_folder: Path) -> Callable[..., Any]:
    """Submits typed data with a signature; chidi pays."""

    def give(data: object, signature: str, expect: int = 0) -> Any:
        path = home_folder / "signed.json"
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        arguments = ("order", "submit", path, "--signature", signature, "--account", "chidi", "--yes", "--json")
        return run(*arguments, expect=expect)

    return give


def test_build__without_a_key__typed_data_on_stdout_and_words_on_stderr(
    traders: Village, run: Run, keys: Path
) -> None:
    for path in keys.iterdir():
        path.unlink()
    ran = run(*BUILD)
    assert ran.err.startswith("You buy up to 1.2 kWh in each of 4 windows, 13:15-14:15, at 95.00 NGN/kWh or less; ")
    data = ran.json
    first = traders.window + 1
    assert data["message"] == {
        "maker": BOLA.account,
        "meter": BOLA.meter,
        "side": 0,
        "firstWindow": first,
        "lastWindow": first + 3,
        "energyWh": 1200,
        "limitLevel": 67,
        "nonce": 1,
    }
    assert data["domain"]["verifyingContract"] == traders.deployment.market
    assert run(*BUILD, "--out", "order.json").out.endswith("Written to order.json\n")
    assert json.loads(Path("order.json").read_text()) == data
    assert run(*BUILD, "--out", "order.json", "--json").json == {"file": "order.json"}


def test_submit__signed_by_the_maker__another_key_pays(
    traders: Village, run: Run, submit: Callable[..., Any]
) -> None:
    data = build(run, *BUILD)
    ran = submit(data, sign_elsewhere(data, BOLA))
    assert "at most 456.00 NGN is reserved" in ran.err
    assert ran.json["account"] == BOLA.account and ran.json["agent"] is None
    assert traders.w3.eth.get_transaction(ran.json["transaction"])["from"] == CHIDI.account
    assert traders.gateway.wallet(BOLA.account).reserved == ran.json["reserved"] == traders.money("456 NGN")
    # The same once more is refused before it is sent.
    assert "nonce 1 is not above 1" in submit(data, sign_elsewhere(data, BOLA), expect=6).err


def test_submit__forms_that_wallets_write__accepted(traders: Village, run: Run, submit: Callable[..., Any]) -> None:
    data = build(run, *BUILD[:3], "100Wh", *BUILD[4:])
    signature = bytes.fromhex(sign_elsewhere(data, BOLA)[2:])
    r, s, parity = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64] - 27
    compact = (r + (s | parity << 255).to_bytes(32, "big")).hex()
    data["domain"] = {**data["domain"], "chainId": hex(data["domain"]["chainId"])}
    data["domain"]["verifyingContract"] = data["domain"]["verifyingContract"].lower()
    data["message"]["nonce"] = str(data["message"]["nonce"])
    del data["types"]["EIP712Domain"]
    assert submit(data, compact).json["nonce"] == 1


def test_submit__signed_by_an_agent__recognised(traders: Village, run: Run, submit: Callable[..., Any]) -> None:
    authorise(traders, BOLA, EMS)
    data = build(run, *BUILD[:3], "100Wh", *BUILD[4:], "--agent", EMS.account)
    assert submit(data, sign_elsewhere(data, EMS)).json["agent"] == EMS.account


def test_build_and_submit__cancel__takes_the_order_back(traders: Village, run: Run, submit: Callable[..., Any]) -> None:
    first = traders.window + 1
    traders.bid(BOLA, first, first + 3, "1 kWh", "100")
    ran = run("order", "build-cancel", "1", "--from-window", "13:45", "--account", BOLA.account)
    assert ran.err == (
        "You cancel 2 windows, 13:45-14:15, of order 1, a bid of 1 kWh; 200.00 NGN is free again; 13:15-13:45 stays.\n"
        "Valid until 14:01:02.\n"
    )
    wrong = submit(ran.json, sign_elsewhere(ran.json, ADA), expect=6)
    assert f"the signature is of {ADA.account}, not of {BOLA.account}" in wrong.err
    done = submit(ran.json, sign_elsewhere(ran.json, BOLA)).json
    assert done["account"] == BOLA.account and done["cancelled"][0]["windows_cancelled"] == 2
    late = run("order", "build-cancel", "1", "--account", BOLA.account).json
    traders.travel_to(first + 4)
    assert "sign a new one" in submit(late, sign_elsewhere(late, BOLA), expect=6).err


def test_submit__fields_changed_after_signing__not_the_makers_signature(
    traders: Village, run: Run, submit: Callable[..., Any]
) -> None:
    data = build(run, *BUILD, "--from", "14:00", "--nonce", "3")
    signature = sign_elsewhere(data, BOLA)
    for name in ("firstWindow", "lastWindow", "energyWh", "limitLevel", "nonce"):
        changed = {**data["message"], name: data["message"][name] + 1}
        ran = submit({**data, "message": changed}, signature, expect=6)
        assert f"not of {BOLA.account}: another key signed, or other fields" in ran.err and ran.err.count("\n") == 1
    other_meter = {**data, "message": {**data["message"], "meter": ADA.meter}}
    assert f"names meter {ADA.meter}, and {BOLA.meter} is bound" in submit(other_meter, signature, expect=6).err
    other_maker = {**data, "message": {**data["message"], "maker": ADA.account}}
    assert f"names meter {BOLA.meter}, and {ADA.meter} is bound" in submit(other_maker, signature, expect=6).err


def test_submit__for_another_chain_or_market__says_which(
    traders: Village, run: Run, submit: Callable[..., Any]
) -> None:
    data = build(run, *BUILD)
    data["domain"]["chainId"] = 1
    ran = submit(data, sign_elsewhere(data, BOLA), expect=2)
    assert "this is signed for chain 1, the market is on chain 131277322940537" in ran.err and not ran.out
    data = build(run, *BUILD)
    data["domain"]["verifyingContract"] = ADA.account
    assert f"signed for the market {ADA.account}, the one" in submit(data, sign_elsewhere(data, BOLA), expect=2).err


def test_submit__signature_that_is_none__says_why(traders: Village, run: Run, submit: Callable[..., Any]) -> None:
    data = build(run, *BUILD)
    signature = sign_elsewhere(data, BOLA)
    high_s = CURVE_ORDER - int(signature[66:130], 16)
    parity = 55 - int(signature[130:], 16)
    assert "(high s)" in submit(data, f"{signature[:66]}{high_s:064x}{parity:02x}", expect=2).err
    assert "this has 63 bytes" in submit(data, signature[:128], expect=2).err
    assert "is not hex" in submit(data, "0xzz", expect=2).err
    assert f"not of {BOLA.account}" in submit(data, sign_elsewhere(data, ADA), expect=6).err
    assert "is not JSON" in submit("{", signature, expect=3).err
    missing = run("order", "submit", "gone.json", "--signature", signature, "--account", "chidi", expect=3)
    assert missing.err == "peerwatt: gone.json: No such file or directory; name another file or mend this one\n"


def test_build__what_would_be_refused__is_refused(traders: Village, run: Run) -> None:
    assert "the side is 'hold'; write sell or buy" in run("order", "build", "hold", *BUILD[3:], expect=2).err
    assert "over the envelope: 6 kWh asked" in run(*BUILD[:3], "6 kWh", *BUILD[4:], expect=6).err


def test_descriptor__of_the_market__names_its_chain_and_prices(traders: Village, run: Run) -> None:
    run("order", "descriptor", "--out", "descriptor.json")
    data = json.loads(Path("descriptor.json").read_text())
    deployment = traders.deployment
    assert data["context"]["eip712"]["deployments"] == [{"chainId": deployment.chain_id, "address": deployment.market}]
    assert data["metadata"]["enums"]["levels"]["67"] == "95 NGN/kWh"
    assert run("order", "descriptor").json == data
