"""Agent keys: let in within caps for a time, listed with what they may do now, and stopped."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.conftest import Run
from cli.secrets import guarded, line
from cli.village import ADA, BOLA, CHIDI, Village, write_keystore
from peerwatt.exceptions import AgentNotAuthorised
from peerwatt.market import relay
from peerwatt.market.durations import parse_duration
from peerwatt.market.words import AgentWord
from peerwatt.signing import BUY, Order, sign
from peerwatt.units import parse_energy, parse_price

AGENT, OTHER = BOLA.meter, CHIDI.meter
CAPS = ["--max-buy", "150 NGN/kWh", "--min-sell", "90", "--max-reserve", "200 NGN"]


@pytest.fixture
def run(run: Run, village: Village, keys: Path) -> Run:
    """Commands of ada."""
    write_keystore(keys, "ada", ADA.account_key)
    return guarded(run)


def place(village: Village, nonce: int) -> None:
    """An order of ada's, signed by the agent."""
    window = village.window + 3
    level = parse_price("150 NGN/kWh", village.grid)
    order = Order(ADA.account, ADA.meter, BUY, window, window, parse_energy("1 kWh"), level, nonce)
    item = relay.OrderItem.from_message(order, sign(order, village.domain, BOLA.meter_key), agent=AGENT)
    village.gateway.relay(village.relayer, item.pack(), strict=True)


def test_authorise__confirmed__the_agent_trades_until_revoked(run: Run, village: Village) -> None:
    with pytest.raises(AgentNotAuthorised):
        place(village, 1)
    ran = run("wallet", "authorise", AGENT, "--for", "30d", *CAPS, input="y\n")
    text = " ".join(ran.out.split())
    assert f"You let {AGENT} sign orders and cancels for {ADA.account}: until " in text
    assert (
        "buying at 150 NGN/kWh or less, selling at 90 NGN/kWh or more, at most 200.00 NGN reserved in all. "
        "It can never withdraw. You can revoke it at any time, at once." in text
    )
    assert "Africa/Lagos (UTC+01:00)" in text and f"{AGENT} is your agent until " in text
    word = village.gateway.agent(ADA.account, AGENT)
    assert abs(word.expiry - village.chain.time_s - 30 * 86_400) < 600
    levels = [parse_price(price, village.grid) for price in ("150", "90")]
    assert word == AgentWord(word.expiry, *levels, village.money("200 NGN"))
    place(village, 1)
    ran = run("wallet", "revoke", AGENT, input="y\n")
    assert (
        f"You revoke {AGENT}; from then on nothing that it signs" in ran.out and "Orders that it placed stay" in ran.out
    )
    with pytest.raises(AgentNotAuthorised):
        place(village, 2)
    assert village.gateway.wallet(ADA.account).reserved > 0


def test_authorise__again__says_what_held_until_now(run: Run, village: Village, keys: Path) -> None:
    write_keystore(keys, "ems", BOLA.meter_key)
    run("wallet", "authorise", "ems", "--account", "ada", "--for", "1d", *CAPS, "--yes")
    until = datetime.fromtimestamp(village.chain.time_s + 90_000, UTC).replace(microsecond=0)
    caps = ["--max-buy", "100", "--min-sell", "100", "--max-reserve", "1 NGN"]
    ran = run("wallet", "authorise", AGENT, "--account", "ada", "--until", until.isoformat(), *caps, "--yes", "--json")
    assert "Until now: until " in ran.err and "buying at 150 NGN/kWh or less" in ran.err
    done = ran.json
    assert (done["account"], done["agent"], done["expiry_s"]) == (ADA.account, AGENT, int(until.timestamp()))
    assert (done["max_buy_level"], done["max_buy_price_per_wh"]) == (77, 100_000)
    assert (done["min_sell_level"], done["min_sell_price_per_wh"], done["max_reserve"]) == (77, 100_000, 1_000_000)
    assert village.w3.eth.get_transaction_receipt(done["transaction"])["status"] == 1 and done["fee_wei"] > 0
    assert village.gateway.agent(ADA.account, AGENT) == AgentWord(done["expiry_s"], 77, 77, 1_000_000)


def test_agents__active_expired_revoked__the_latest_act_first(run: Run, village: Village) -> None:
    assert f"{ADA.account} never authorised an agent." in run("wallet", "agents").out
    assert run("wallet", "agents", "--json").json == []
    run("wallet", "authorise", AGENT, "--for", "45min", *CAPS, "--yes")
    run("wallet", "authorise", CHIDI.account, "--for", "1d", *CAPS, "--yes")
    run("wallet", "authorise", OTHER, "--for", "2d", *CAPS, "--yes")
    run("wallet", "authorise", CHIDI.account, "--for", "9d", *CAPS, "--yes")
    run("wallet", "revoke", OTHER, "--yes")
    # What others did is not ada's.
    village.gateway.act(village.operator, village.gateway.registry.functions.authorise(AGENT, 2**40, 1, 1, 1))
    village.chain.travel_to(village.chain.time_s + 3600)
    village.clear()
    listed = run("wallet", "agents", "--json").json
    assert [(row["agent"], row["state"]) for row in listed] == [
        (OTHER, "revoked"),
        (CHIDI.account, "active"),
        (AGENT, "expired"),
    ]
    assert listed[0]["expiry_s"] == 0 and listed[1]["max_reserve"] == 200_000_000
    assert 0 < listed[2]["since_s"] <= listed[1]["since_s"] <= listed[0]["since_s"]
    rows = [row.split("  ") for row in run("wallet", "agents").out.splitlines()]
    assert [row[0] for row in rows] == ["agent", OTHER, CHIDI.account, AGENT]
    assert "150 NGN/kWh" in rows[2] and "200.00 NGN" in rows[2][-1] and rows[1][1].strip() == "revoked"


def test_agent__sign_only__anyone_sends_it(run: Run, village: Village) -> None:
    def bring(signed: dict[str, str]) -> None:
        village.w3.eth.send_transaction({"from": village.relayer.address, "to": signed["to"], "data": signed["data"]})

    ran = run("wallet", "authorise", AGENT, "--for", "1d", *CAPS, "--sign-only", input="y\n")
    assert "Anyone can send it, and pays the fees" in ran.err and "Sign? [y/N]" in ran.err
    assert ran.json["type"] == "Agent" and village.gateway.agent(ADA.account, AGENT).expiry == 0
    bring(ran.json)
    assert village.gateway.agent(ADA.account, AGENT).max_reserve == village.money("200 NGN")
    bring(run("wallet", "revoke", AGENT, "--sign-only", "--yes").json)
    assert village.gateway.agent(ADA.account, AGENT) == AgentWord(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"agent": ADA.account}, "is your own account; an agent needs a key of its own"),
        ({"agent": "0x" + "00" * 20}, "is the zero address"),
        ({"agent": "0xabc"}, "not an address"),
        ({"--for": None}, "say until when: --until 2026-12-24T18:00, or --for 30d"),
        ({"--until": "2099-01-01T00:00"}, "say until when"),
        ({"--for": "30"}, "'30' is no duration; write it like 45min, 12h, 30d or 2w"),
        ({"--for": "0d"}, "makes no sense here"),
        ({"--for": "999999d"}, "at most ten years"),
        ({"--for": None, "--until": "2020-01-01T00:00"}, "'2020-01-01T00:00' is 2020-01-01 00:00, which is past"),
        ({"--for": None, "--until": "tomorrow"}, "'tomorrow' is no time"),
        ({"--max-buy": "150.1"}, "the two nearest levels are 150 NGN/kWh (level 177) and 150.5 NGN/kWh (level 178)"),
        ({"--min-sell": "10"}, "the two nearest levels are 61.5 NGN/kWh (level 0)"),
        ({"--max-buy": "150 USD/kWh"}, "is not in the market's money"),
        ({"--max-reserve": "0 NGN"}, "with --max-reserve of zero the agent can place no order"),
        ({"--max-reserve": "0.0000001 NGN"}, "is not a whole number of base units"),
        ({"--max-reserve": "9" * 38 + " NGN"}, "outside 0 to 2^128 - 1"),
    ],
)
def test_authorise__senseless__exit_code_2_and_nothing_sent(
    run: Run, village: Village, changes: dict[str, str | None], says: str
) -> None:
    values: dict[str, str | None] = {"agent": AGENT, "--for": "1d", **dict(zip(CAPS[::2], CAPS[1::2], strict=True))}
    values.update(changes)
    agent = values.pop("agent")
    options = [word for name, value in values.items() if value is not None for word in (name, value)]
    block = village.w3.eth.block_number
    assert says in line(run("wallet", "authorise", agent, *options, "--yes", expect=2))
    assert village.w3.eth.block_number == block


def test_authorise__without_a_cap__names_the_option(run: Run) -> None:
    assert "--min-sell" in run("wallet", "authorise", AGENT, "--for", "1d", "--max-buy", "95", expect=2).err


def test_revoke__never_authorised_or_revoked_already__exit_code_6(run: Run) -> None:
    refusal = f"{AGENT} may do nothing for {ADA.account}; see: peerwatt wallet agents"
    assert refusal in line(run("wallet", "revoke", AGENT, "--yes", expect=6))
    run("wallet", "authorise", AGENT, "--for", "1d", *CAPS, "--yes")
    run("wallet", "revoke", AGENT, "--yes", "--json")
    assert refusal in line(run("wallet", "revoke", AGENT, "--yes", expect=6))


def test_parse_duration__units__seconds() -> None:
    texts = ("90s", "45 min", "12H", "30d", "2w")
    assert [parse_duration(text) for text in texts] == [90, 2700, 43_200, 2_592_000, 1_209_600]
