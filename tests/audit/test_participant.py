"""One account's payments explained: what each rests on, and that nothing is taken for granted."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from audit.homes import ADA, AGENT, BOLA, CHIDI, make_homes
from peerwatt.audit.audit import Audit
from peerwatt.audit.evidence.own import Pair
from peerwatt.audit.evidence.story import Story, Teller
from peerwatt.audit.history import Call
from peerwatt.audit.participant import explain, to_dict
from peerwatt.cli.participant_text import describe_story
from peerwatt.market.history import Head
from peerwatt.market.words import WalletWord
from peerwatt.pages.numbers import Money
from peerwatt.signing import Order

HOMES = (ADA, BOLA, CHIDI)


def tell(home: Any, pairs: list[Pair]) -> Story:
    village = make_homes().village
    wallet = WalletWord.decode(village.gateway.market.functions.wallets(home.account).call())
    return Teller(village.deployment, home.account).follow_all(pairs).end(Head(0, "0x", 0), wallet)


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.name)
def test_explain__home__sums_are_the_wallet(home: Any) -> None:
    homes = make_homes()
    report = homes.explain(home)
    story = tell(home, list(report.pairs))
    assert story.violations == () and story.unseen == ()
    data = to_dict(story)
    totals, wallet = data["totals"], data["wallet"]
    moved = totals["deposited_amount"] - totals["withdrawn_amount"] + totals["received_amount"] - totals["paid_amount"]
    stored = WalletWord.decode(homes.village.gateway.market.functions.wallets(home.account).call())
    assert moved == stored.balance == wallet["balance"]
    assert (stored.reserved, stored.score) == (wallet["reserved"], wallet["score"])
    for row in data["windows"]:
        sign = 1 if row["side"] == "offer" else -1
        parts = sign * row["energy_amount"] - row["adjustment_amount"] - row["fee_amount"] - row["shortfall_amount"]
        assert row["received_amount"] - row["paid_amount"] == (0 if row["status"] == "revoked" else parts)
        placed, settled = data["deeds"][row["order_deed"]], data["deeds"][row["settlement_deed"]]
        assert placed["name"] == "OrderPlaced" and row["window"] in settled["windows"]


def test_explain__authorities__who_signed_what() -> None:
    homes = make_homes()
    told = {}
    for home in HOMES:
        for deed in to_dict(homes.explain(home).story)["deeds"]:
            authority = deed["authority"]
            told[home.name, deed["name"], deed["block_number"]] = authority["by"], authority["how"], authority["kind"]
    by_name = {(name, event): value for (name, event, _), value in told.items()}
    assert by_name["ada", "ParticipantBound"] == ("account", "signed", "Enrolment")
    assert by_name["ada", "OrderPlaced"] == ("account", "signed", "Order")
    assert by_name["ada", "ReportSettled"] == ("meter", "signed", "Report")
    assert by_name["ada", "Withdrawn"] == ("account", "called", None)
    assert by_name["bola", "Withdrawn"] == ("account", "signed", "Withdrawal")
    assert by_name["bola", "DueSettled"] == ("anyone", None, None)
    assert by_name["chidi", "AgentSet"] == by_name["chidi", "RatedSet"] == ("account", "called", None)
    assert by_name["chidi", "OrderPlaced"] == ("agent", "signed", "Order")
    cancels = [value for (name, event, _), value in told.items() if (name, event) == ("ada", "OrderCancelled")]
    assert cancels == [("account", "signed", "Cancel")] * 2 + [("operator", None, None)]


def test_explain__order__its_message_and_signature() -> None:
    homes = make_homes()
    deeds = to_dict(homes.explain(CHIDI).story)["deeds"]
    authority = [deed for deed in deeds if deed["name"] == "OrderPlaced"][-1]["authority"]
    order = Order.from_json(authority["message"])
    assert (order.maker, order.energy_wh, order.limit_level) == (CHIDI.account, 900, 100)
    assert authority["address"] == AGENT.lower() and len(authority["r"]) == len(authority["vs"]) == 66


def test_describe_story__seller__everything_in_words() -> None:
    story = make_homes().explain(ADA).story
    text = re.sub(" +", " ", describe_story(story, Money("NGN", 6)))
    for part in (
        "offer 1,000 Wh 95.0 140.5 1,000 of 1,778 Wh bid, 1,000 Wh offered; bids at the price get 1,000/1,778",
        "400 of 400 Wh bid, 700 Wh offered; offers at the price get 400/700",
        "withdrawal -100.000001 to 0x",
        "report of 3 windows, export register ends at 2,850 Wh, 3 settled",
        f"signed by the meter {ADA.meter.lower()}",
        "order 2 cut to 1 window ",
        "nonce 39 burnt",
        "Report(meter 0x",
        "balance +1,151.306499",
    ):
        assert part in text
    assert "money in base units" in describe_story(story) and "+1,151,306,499" in describe_story(story)


def test_describe_story__stranger__nothing() -> None:
    homes = make_homes()
    stranger = replace(ADA, name="nobody")
    report = homes.explain(stranger)
    assert report.pairs == [] and report.holds
    assert "no order" in describe_story(report.story)


def test_explain__after_an_audit__compared_with_its_ledger() -> None:
    homes = make_homes()
    audit = Audit(homes.transport, homes.village.deployment, workers=1)
    assert audit.run(homes.last).verdict == "holds"
    report = explain(audit, BOLA.account, homes.last)
    assert report.compared and report.holds and report.story.settled
    tally = audit.replay.market.past.accounts[BOLA.account.lower()]
    tally.bought_wh += 1
    (violation,) = explain(audit, BOLA.account, homes.last).story.violations
    assert violation == f"Wh bought: {tally.bought_wh - 1}; the replay of the whole market has {tally.bought_wh}"
    del audit.replay.market.past.accounts[BOLA.account.lower()]
    violations = explain(audit, BOLA.account, homes.last).story.violations
    assert f"windows settled: {len(report.story.settled)}; the replay of the whole market has 0" in violations


# What is not as it must be


def change_call(pairs: list[Pair], name: str, how: Any) -> list[Pair]:
    """The calldata of the transaction with the first log of this name changed."""
    found = next(at for at, pair in enumerate(pairs) if any(event.name == name for event in events_of(pair)))
    transaction, block = pairs[found]
    assert transaction.calls
    calls = tuple(Call(call.contract, call.caller, how(call.data)) for call in transaction.calls)
    return [*pairs[:found], (replace(transaction, calls=calls), block), *pairs[found + 1 :]]


def events_of(pair: Pair) -> list[Any]:
    from peerwatt.audit.evidence.own import to_events

    return to_events(pair[0], make_homes().village.deployment.market)


def flip_signature(data: bytes) -> bytes:
    """The last byte of vs in a relay of one item."""
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    ("home", "event", "words"),
    [
        (ADA, "OrderPlaced", "the order was signed by"),
        (ADA, "OrderCancelled", "the cancel was signed by"),
        (ADA, "ReportSettled", "the report was signed by"),
        (BOLA, "Withdrawn", "the withdrawal was signed by"),
    ],
)
def test_tell__another_signature__violated(home: Any, event: str, words: str) -> None:
    pairs = list(make_homes().explain(home).pairs)
    violations = tell(home, change_call(pairs, event, flip_signature)).violations
    assert len(violations) == 1 and words in violations[0] and violations[0].startswith(f"{event} in block ")


def test_tell__calldata_of_something_else__violated() -> None:
    pairs = list(make_homes().explain(BOLA).pairs)
    violations = tell(BOLA, change_call(pairs, "OrderPlaced", lambda data: b"\0" * 4)).violations
    assert "nothing in the transaction's calldata asks for this OrderPlaced" in violations[0]


def test_tell__agent_without_a_mandate__violated() -> None:
    pairs = [
        pair
        for pair in make_homes().explain(CHIDI).pairs
        if not any(event.name == "AgentSet" for event in events_of(pair))
    ]
    assert "had no mandate of the account" in tell(CHIDI, pairs).violations[0]


def test_tell__through_another_contract__unseen() -> None:
    pairs = [(replace(transaction, calls=None), block) for transaction, block in make_homes().explain(BOLA).pairs]
    story = tell(BOLA, pairs)
    assert story.violations == () and story.signatures == 0
    names = [line.split(" ")[0] for line in story.unseen]
    assert "OrderPlaced" in names and "DueSettled" not in names and "Deposited" not in names


@pytest.mark.parametrize("event", ["OrderPlaced", "ReportSettled", "Deposited", "Withdrawn", "WindowCleared"])
def test_tell__transaction_left_out__violated(event: str) -> None:
    pairs = list(make_homes().explain(ADA).pairs)
    at = next(at for at, pair in enumerate(pairs) if any(one.name == event for one in events_of(pair)))
    assert tell(ADA, pairs[:at] + pairs[at + 1 :]).violations
