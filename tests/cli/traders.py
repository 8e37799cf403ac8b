"""What the tests of the order commands share."""

from __future__ import annotations

from eth_account import Account

from cli.village import Home, Village
from peerwatt.market.senders import KeyAccount
from peerwatt.units import parse_price

EMS = Home("ems")
DAY_S = 86_400


def key_of(home: Home) -> KeyAccount:
    return KeyAccount(Account.from_key(home.account_key))


def go_to_one_o_clock(village: Village) -> None:
    """To one minute past 13:00 in Lagos of the next day; 13:15-13:30 is the next open window."""
    day = village.chain.time_s // DAY_S + 1
    village.chain.travel_to(day * DAY_S + 12 * 3600 + 60)
    village.clear()


def authorise(village: Village, home: Home, agent: Home, *, hours: int = 24, reserve: str = "300 NGN") -> None:
    """The agent may bid up to 100 NGN/kWh and offer from 90."""
    expiry = village.chain.time_s + hours * 3600
    levels = (parse_price("100", village.grid), parse_price("90", village.grid))
    call = village.gateway.registry.functions.authorise(agent.account, expiry, *levels, village.money(reserve))
    village.gateway.act(key_of(home), call)
