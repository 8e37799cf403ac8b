"""From an old market to a new one: what can be carried over, by whom, and what cannot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peerwatt.market.gateway import MarketGateway
from peerwatt.operator.applications import Row
from peerwatt.operator.consent import Consent, ConsentError
from peerwatt.operator.registry_file import RegistryFile
from peerwatt.operator.tariffs import Tariff, check_tariff, read_published
from peerwatt.refusals.base import MarketError
from peerwatt.signing import Domain
from peerwatt.units import PriceGrid, format_energy, format_unit_price

OPERATOR, REGULATOR = 0, 1
# What a registry cannot hand on, and who can do something about it.
NOT_CARRIED = (
    "money: each home withdraws it from the old market and deposits it in the new one",
    "open orders: they end with the old market",
    "agent keys and ratings: each home authorises and chooses again",
    "roles: they were given when the new market was deployed",
)


@dataclass(frozen=True)
class Step:
    """One act of a role that brings a number over. `call` is bound to the new registry."""

    role: int
    text: str
    call: Any


def names_predecessor(gateway: MarketGateway, old: RegistryFile) -> bool:
    """Whether the new registry takes its scores from the old one."""
    predecessor = str(gateway.registry.functions.predecessor().call())
    return predecessor.lower() == old.registry.lower() and gateway.deployment.chain_id == old.chain_id


def list_steps(gateway: MarketGateway, old: RegistryFile, window: int) -> tuple[list[Step], list[str]]:
    """The numbers that the new market does not have yet, and those that it cannot have, with the reason.

    Args:
        window: the one that is running in the new market.
    """
    grid, functions = gateway.price_grid(), gateway.registry.functions
    published = read_published(gateway, window)
    steps: list[Step] = []
    left: list[str] = []
    if (grid.currency, grid.token_decimals) != (old.currency, old.decimals):
        left.append(
            f"prices: they were in {old.currency} with {old.decimals} decimals, the new market's money is "
            f"{grid.currency} with {grid.token_decimals}"
        )
    else:
        if old.tariff is not None and published.now is None:
            tariff = _tariff_of(old.tariff)
            try:
                check_tariff(tariff, published, grid)
                text = f"publish the tariff, imbalance price {format_unit_price(tariff.imbalance_price, grid)}"
                call = functions.publish_tariff(tariff.steps(grid), *tariff.words())
                steps.append(Step(REGULATOR, text, call))
            except MarketError as error:
                left.append(f"the tariff: {error}")
        if published.now is None and not steps:
            left.append("retail prices: they need a tariff; publish one, then import again")
        else:
            steps += _prices(gateway, old, published.retail, grid)
    for number, feeder in old.feeders.items():
        now = gateway.feeder(int(number))
        scales = (feeder["import_scale_bps"], feeder["export_scale_bps"])
        if (now.import_scale_bps, now.export_scale_bps) == (0, 0) and any(scales):
            text = f"scale feeder {number} to {scales[0] / 100:g} % in and {scales[1] / 100:g} % out"
            steps.append(Step(OPERATOR, text, functions.set_feeder_scale(int(number), *scales)))
    accepted = int(functions.accepted_classes().call())
    refused = [number for number in old.accepted_classes if not accepted >> number & 1]
    if refused:
        left.append(f"meter classes {', '.join(map(str, refused))}: the new market does not accept them")
    return steps, left


def _prices(gateway: MarketGateway, old: RegistryFile, retail: dict[int, int], grid: PriceGrid) -> list[Step]:
    functions = gateway.registry.functions
    steps = [
        Step(
            REGULATOR,
            f"set retail class {number} to {format_unit_price(price, grid)}",
            functions.set_retail(int(number), price),
        )
        for number, price in old.retail.items()
        if int(number) not in retail
    ]
    for number, feeder in old.feeders.items():
        fee = feeder["fee_per_wh"]
        if fee and gateway.feeder(int(number)).fee_per_wh == 0:
            text = f"set the network fee of feeder {number} to {format_unit_price(fee, grid)}"
            steps.append(Step(REGULATOR, text, functions.set_feeder_fee(int(number), fee)))
    return steps


def _tariff_of(fields: dict[str, Any]) -> Tariff:
    return Tariff(
        fields["imbalance_price_per_wh"],
        tuple(fields["surcharge_bps"]),
        tuple(fields["haircut_bps"]),
        tuple(fields["rebate_bps"]),
    )


@dataclass(frozen=True)
class Consents:
    """New consents of homes, by account; and the files that are none, with the reason."""

    by_account: dict[str, Consent]
    problems: list[str]


def read_consents(folder: Path, domain: Domain, now_s: int) -> Consents:
    """The consents for a market in a folder; files of other kinds are passed over, bad consents noted."""
    found: dict[str, Consent] = {}
    problems = []
    for path in sorted(folder.glob("*.json")):
        try:
            consent = Consent.load(path)
            consent.check(domain, now_s)
        except (ConsentError, MarketError) as error:
            problems.append(str(error) if str(path) in str(error) else f"{path}: {error}")
            continue
        known = found.get(consent.enrolment.account)
        # Of two, the one that was signed later.
        if known is None or known.enrolment.deadline < consent.enrolment.deadline:
            found[consent.enrolment.account] = consent
    return Consents(found, problems)


def list_homes(old: RegistryFile, consents: Consents) -> tuple[list[Row], list[str]]:
    """Rows to enrol, and the accounts whose consent for the new market is missing."""
    rows: list[Row] = []
    waiting: list[str] = []
    for home in old.homes:
        if home.account is None or home.terms is None:
            continue
        consent = consents.by_account.get(home.account)
        if consent is None:
            waiting.append(home.account)
            continue
        number = f"0x{home.connection.hex()}"
        row = Row(home.account, number, home.connection, home.terms, consent)
        message = consent.enrolment
        if message.meter == home.meter and message.exported_wh < home.exported_wh:
            row.refuse(
                f"the consent says {format_energy(message.exported_wh)} exported, and the old market has "
                f"{format_energy(home.exported_wh)} of the same meter; have it signed with the register of today"
            )
        rows.append(row)
    return rows, waiting
