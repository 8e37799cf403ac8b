"""The keeper: clears and settles what is due, once, whatever other keepers, reorganisations and the node do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from requests.exceptions import ConnectionError as NodeAway
from web3.exceptions import Web3RPCError

from cli.conftest import Run
from cli.village import ADA, BOLA, CHIDI, NUMBERS, Home, Village, write_keystore
from peerwatt.cli.commands import keeper as keeper_command
from peerwatt.keeper import (
    FollowerState,
    Keeper,
    Overtaken,
    Reorganised,
    Trouble,
    WindowsCleared,
    WindowsSettled,
)
from peerwatt.keeper import keeper as keeper_module
from peerwatt.market import relay
from peerwatt.market.accounts import read_account
from peerwatt.market.senders import KeyAccount, NodeAccount

HOME_KEY = CHIDI.account_key


def make_keeper(village: Village, index: int = 8, state: FollowerState | None = None) -> Keeper:
    return Keeper(village.gateway, NodeAccount(village.chain.accounts[index]), state)


def trade(village: Village, windows: int = 1) -> int:
    """Ada sells to bola and chidi in so many windows; returns the first."""
    first = village.window + 2
    energy = ("1 kWh", "0.4 kWh") if windows == 1 else ("100 Wh", "50 Wh")
    if windows > 1:
        for home in (ADA, BOLA, CHIDI):
            village.gateway.deposit(KeyAccount(Account.from_key(home.account_key)), village.money("900 NGN"))
    village.offer(ADA, first, first + windows - 1, energy[0], "120")
    village.bid(BOLA, first, first + windows - 1, energy[1], "150")
    village.bid(CHIDI, first, first + windows - 1, energy[1], "150")
    return first


def test_tick__window_gated_then_over__clears_then_settles_buyers(village: Village) -> None:
    first = trade(village)
    keeper = make_keeper(village)
    assert list(keeper.tick()) == []
    assert keeper.follower.state.accounts == {ADA.account, BOLA.account, CHIDI.account}
    village.travel_to(first, -NUMBERS.lead_seconds)
    (cleared,) = keeper.tick()
    assert isinstance(cleared, WindowsCleared) and cleared.cleared == first
    assert [(window.window, window.traded_wh) for window in cleared.windows] == [(first, 800)]
    receipt = village.w3.eth.get_transaction_receipt(cleared.cost.transaction_hash)
    assert cleared.cost.gas_used == receipt["gasUsed"]
    assert cleared.cost.cost_wei == receipt["gasUsed"] * receipt["effectiveGasPrice"] > 0
    village.travel_to(first + 1)
    (settled,) = keeper.tick()
    assert isinstance(settled, WindowsSettled) and settled.skipped == ()
    assert {entry.account: (entry.first, entry.windows) for entry in settled.accounts} == {
        BOLA.account: (first, 1),
        CHIDI.account: (first, 1),
    }
    assert village.gateway.wallet(BOLA.account).reserved == 0
    assert keeper.follower.state.accounts == {ADA.account, BOLA.account, CHIDI.account}
    assert list(keeper.tick()) == []


def test_tick__seller_silent__settled_by_default_at_the_deadline_only(village: Village) -> None:
    first = trade(village)
    keeper = make_keeper(village)
    village.travel_to(first + 1, NUMBERS.report_deadline_seconds - 1800)
    list(keeper.tick())
    assert list(read_account(village.gateway, ADA.account).open_windows) == [first]
    delay = village.gateway.result(first).delay_seconds
    village.travel_to(first + 1, delay + NUMBERS.report_deadline_seconds)
    settled = [doing for doing in keeper.tick() if isinstance(doing, WindowsSettled)]
    assert [entry.account for doing in settled for entry in doing.accounts] == [ADA.account]
    assert village.gateway.wallet(ADA.account).score < 5000 * 65536
    village.travel_to(village.window + 1)
    list(keeper.tick())
    assert ADA.account not in keeper.follower.state.accounts


def test_tick__order_without_partner__released_as_soon_as_cleared(village: Village) -> None:
    window = village.window + 2
    village.offer(ADA, window, window, "1 kWh", "120")
    keeper = make_keeper(village)
    village.travel_to(window, -NUMBERS.lead_seconds)
    cleared, settled = keeper.tick()
    assert isinstance(cleared, WindowsCleared) and cleared.windows[0].level is None
    assert isinstance(settled, WindowsSettled) and village.gateway.wallet(ADA.account).reserved == 0


def test_tick__empty_book__moved_on_rarely(village: Village) -> None:
    keeper = make_keeper(village)
    village.travel_to(village.window + keeper_module.IDLE_WINDOWS - 3)
    assert list(keeper.tick()) == []
    village.travel_to(village.window + 4)
    (jumped,) = keeper.tick()
    assert isinstance(jumped, WindowsCleared) and jumped.windows == ()
    assert village.gateway.book_state().cleared == jumped.cleared >= village.window


def test_tick__after_long_silence__everything_in_few_transactions(village: Village) -> None:
    first = trade(village, windows=40)
    village.travel_to(first + 40 * 24 * 4)
    keeper = make_keeper(village)
    doings = list(keeper.tick())
    cleared = [doing for doing in doings if isinstance(doing, WindowsCleared)]
    assert [window.window for doing in cleared for window in doing.windows] == list(range(first, first + 40))
    assert village.gateway.book_state().open_wh == 0
    (settled,) = (doing for doing in doings if isinstance(doing, WindowsSettled))
    # Cleared late, so the sellers' time to report has only begun.
    assert {entry.account: entry.windows for entry in settled.accounts} == {BOLA.account: 40, CHIDI.account: 40}
    assert all(doing.cost.gas_used < 2**24 for doing in [*cleared, settled])
    assert list(keeper.tick()) == []


def test_tick__more_than_a_transaction_holds__in_parts(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trade(village, windows=8)
    village.travel_to(first + 8)
    monkeypatch.setattr(keeper_module, "MAX_TRANSACTION_GAS", 200_000)
    doings = list(make_keeper(village).tick())
    cleared = [doing for doing in doings if isinstance(doing, WindowsCleared)]
    assert len(cleared) > 1 and sum(len(doing.windows) for doing in cleared) == 8
    assert not any(isinstance(doing, Trouble) for doing in doings)
    monkeypatch.setattr(keeper_module, "MAX_TRANSACTION_GAS", 40_000)
    village.bid(BOLA, first + 10, first + 10, "0.4 kWh", "150", nonce=2)
    village.travel_to(first + 11)
    *_, trouble = make_keeper(village).tick()
    assert isinstance(trouble, Trouble) and "does not clear a single window" in str(trouble.error)


def money(village: Village) -> dict[str, int]:
    accounts = (ADA.account, BOLA.account, CHIDI.account, *village.chain.accounts[2:4])
    return {account: village.gateway.wallet(account).balance for account in accounts}


def test_two_keepers__both_decide_before_either_sends__nothing_doubled(village: Village) -> None:
    first = trade(village)
    one, two = make_keeper(village, 7), make_keeper(village, 8)
    village.travel_to(first + 1)
    # The second one acts whenever the first has simulated and not sent yet.
    send, second = NodeAccount.send, []

    def send_late(sender: NodeAccount, w3: Any, transaction: Any) -> Any:
        if sender.address == village.chain.accounts[7]:
            second.extend(two.tick())
        return send(sender, w3, transaction)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NodeAccount, "send", send_late)
        done = list(one.tick())
    assert [type(doing) for doing in second] == [WindowsCleared, WindowsSettled]
    assert done == [Overtaken("clear", "auction: nothing to clear")]
    after = money(village)
    assert list(one.tick()) == list(two.tick()) == []
    assert money(village) == after and village.gateway.result(first).left_wh == 1000


def test_two_keepers__same_due_items_on_their_way__the_later_is_skipped(village: Village) -> None:
    first = trade(village)
    village.travel_to(first + 1)
    village.clear()
    one, two = make_keeper(village, 7), make_keeper(village, 8)
    send, second = NodeAccount.send, []

    def send_late(sender: NodeAccount, w3: Any, transaction: Any) -> Any:
        if sender.address == village.chain.accounts[7] and not second:
            second.extend(two.tick())
        return send(sender, w3, transaction)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NodeAccount, "send", send_late)
        (done,) = one.tick()
    assert isinstance(done, WindowsSettled) and done.accounts == ()
    assert dict(done.skipped) == {BOLA.account: "settlement: nothing due", CHIDI.account: "settlement: nothing due"}
    assert len(second) == 1 and village.gateway.result(first).left_wh == 1000


def test_tick__one_settled_by_somebody_else__the_other_is_settled(village: Village) -> None:
    first = trade(village)
    village.travel_to(first + 1)
    village.clear()
    keeper = make_keeper(village)
    find_due = keeper._find_due

    def find_then_lose(*arguments: Any) -> list[relay.DueItem]:
        items = list(find_due(*arguments))
        village.gateway.relay(village.relayer, items[0].pack(), strict=True)
        return items

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeper, "_find_due", find_then_lose)
        doings = list(keeper.tick())
    assert sorted(type(doing).__name__ for doing in doings) == ["Overtaken", "WindowsSettled"]
    assert village.gateway.result(first).left_wh == 1000


def test_follower__restarted__goes_on_where_it_stopped(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trade(village)
    keeper = make_keeper(village)
    list(keeper.tick())
    state = FollowerState.from_json(json.loads(json.dumps(keeper.follower.state.to_json())))
    stopped = state.checkpoints[-1][0]
    asked: list[int] = []
    get_logs = village.w3.eth.get_logs
    monkeypatch.setattr(village.w3.eth, "get_logs", lambda what: asked.append(what["fromBlock"]) or get_logs(what))
    again = make_keeper(village, state=state)
    village.bid(CHIDI, first + 3, first + 3, "0.4 kWh", "150", nonce=2)
    list(again.tick())
    assert asked == [stopped + 1] and stopped > village.deployment.block
    assert CHIDI.account in again.follower.state.accounts
    # Of another market or a chain that was reset it is of no use.
    assert make_keeper(village, state=FollowerState("0x0", "0x0", [(10**6, "0x")])).follower.state.checkpoints == []
    with pytest.raises(ValueError, match="no state of a keeper"):
        FollowerState.from_json({"market": 3})


def test_tick__blocks_taken_back__reads_again_and_finds_the_other_order(village: Village) -> None:
    village.chain.w3.provider.make_request("evm_mine", [])  # type: ignore[arg-type]
    keeper = make_keeper(village)
    list(keeper.tick())
    known = village.w3.eth.block_number
    snapshot = village.chain.take_snapshot()
    window = village.window + 2
    village.bid(BOLA, window, window, "1 kWh", "150")
    list(keeper.tick())
    assert keeper.follower.state.accounts == {BOLA.account}
    village.chain.revert_to(snapshot)
    village.bid(CHIDI, window, window, "1 kWh", "150")
    village.bid(CHIDI, window + 1, window + 1, "1 kWh", "150", nonce=2)
    assert list(keeper.tick()) == [Reorganised(known + 1)]
    assert keeper.follower.state.accounts == {CHIDI.account}


def test_tick__node_limits_logs__asks_for_fewer_blocks(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    trade(village)
    get_logs = village.w3.eth.get_logs

    def limited(what: Any) -> Any:
        if what["toBlock"] - what["fromBlock"] >= 4:
            raise Web3RPCError("block range too large")
        return get_logs(what)

    monkeypatch.setattr(village.w3.eth, "get_logs", limited)
    keeper = make_keeper(village)
    assert list(keeper.tick()) == []
    assert keeper.follower.state.accounts == {ADA.account, BOLA.account, CHIDI.account}


def test_tick__node_away_for_a_moment__the_next_one_does_it(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trade(village)
    keeper = make_keeper(village)
    village.travel_to(first + 1)
    send = NodeAccount.send
    sent: list[Any] = []

    def hiccup(sender: NodeAccount, w3: Any, transaction: Any) -> Any:
        sent.append(transaction)
        if len(sent) == 2:
            raise NodeAway("connection reset")
        return send(sender, w3, transaction)

    monkeypatch.setattr(NodeAccount, "send", hiccup)
    cleared, trouble = keeper.tick()
    assert isinstance(cleared, WindowsCleared) and isinstance(trouble, Trouble)
    (settled,) = keeper.tick()
    assert isinstance(settled, WindowsSettled) and len(settled.accounts) == 2


@pytest.fixture
def paying(keys: Path) -> None:
    write_keystore(keys, "chidi", HOME_KEY)


def test_command__once__says_what_it_did_and_what_it_cost(run: Run, village: Village, paying: None) -> None:
    first = trade(village)
    assert "nothing to clear and nothing to settle" in run("keeper", "--once").out
    village.travel_to(first + 1)
    out = run("keeper", "--once").out
    assert (
        "0.8 kWh at 121.5 NGN/kWh" in out.replace("800 Wh", "0.8 kWh") and "settled 2 window(s) of 2 account(s)" in out
    )
    assert "in all: 1 window(s) with orders cleared, 2 order window(s) settled" in out and " ETH" in out


def test_command__json__a_line_for_each_thing(run: Run, village: Village, paying: None, home_folder: Path) -> None:
    first = trade(village)
    village.travel_to(first + 1)
    ran = run("keeper", "--once", "--json", "--state", "state.json")
    cleared, settled = map(json.loads, ran.out.splitlines())
    assert cleared["did"] == "cleared" and cleared["windows"][0]["traded_wh"] == 800
    assert settled["did"] == "settled" and settled["gas_used"] > 0 and settled["skipped"] == []
    assert json.loads((home_folder / "state.json").read_text())["accounts"] == sorted(
        [ADA.account, BOLA.account, CHIDI.account]
    )
    (home_folder / "state.json").write_text("{")
    assert "is no state of a keeper" in run("keeper", "--once", "--state", "state.json").err


def test_command__interrupted__ends_with_0(
    run: Run, village: Village, paying: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trade(village)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 1:
            village.travel_to(first + 1)
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr(keeper_command.time, "sleep", sleep)
    out = run("keeper", "--interval", "7").out
    assert slept == [7, 7] and "every 7 s" in out and "in all: 1 window(s)" in out


def test_command__node_fails__once_ends_with_4_and_a_loop_goes_on(
    run: Run, village: Village, paying: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    trade(village)
    monkeypatch.setattr(village.w3.eth, "get_logs", lambda what: (_ for _ in ()).throw(NodeAway("gone")))
    assert "the node did not do what was asked (gone)" in run("keeper", "--once", expect=4).err
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(keeper_command.time, "sleep", sleep)
    # Said once, however often it is tried.
    assert run("keeper").out.count("nobody answers at http://127.0.0.1:8545; trying again") == 1


def test_keeper__own_key__pays(village: Village) -> None:
    first = trade(village)
    village.travel_to(first + 1)
    payer = Account.from_key(HOME_KEY)
    before = village.w3.eth.get_balance(payer.address)
    doings = list(Keeper(village.gateway, KeyAccount(payer)).tick())
    spent = sum(doing.cost.cost_wei for doing in doings if isinstance(doing, WindowsCleared | WindowsSettled))
    assert before - village.w3.eth.get_balance(payer.address) == spent > 0


def test_command__no_gas_money__says_so_before_anything(run: Run, village: Village, keys: Path) -> None:
    write_keystore(keys, "poor", Home("poor").account_key)
    ran = run("keeper", "--once", expect=6)
    assert f"{Home('poor').account} has no gas money" in ran.err
