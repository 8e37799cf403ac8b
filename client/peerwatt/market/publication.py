"""What regulator and operator publish first: tariff, retail prices, feeder fees and scales of a parameters file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from web3 import Web3

from peerwatt.market.gateway import MarketGateway
from peerwatt.market.parameters import Parameters
from peerwatt.market.words import TableWord
from peerwatt.units import format_unit_price

OPERATOR, REGULATOR = 0, 1
ROLE_NAMES = {OPERATOR: "operator", REGULATOR: "regulator"}
# What each act uses, rounded up, for the prediction before the market exists. A test compares them with receipts.
ACT_GAS = {"publish_tariff": 170_000, "set_retail": 56_000, "set_feeder_fee": 53_000, "set_feeder_scale": 53_000}


@dataclass(frozen=True)
class Act:
    """One call of the registry that is still to make.

    Attributes:
        role: who has to make it, 0 operator or 1 regulator.
        text: what it does, for people.
        function, arguments: of the registry.
    """

    role: int
    text: str
    function: str
    arguments: tuple[int, ...]

    def bind(self, gateway: MarketGateway) -> Any:
        """The call on a market's registry."""
        return gateway.registry.functions[self.function](*self.arguments)

    def to_json(self, gateway: MarketGateway) -> dict[str, str]:
        """What another wallet, such as a multisig, needs to make the call."""
        data = self.bind(gateway)._encode_transaction_data()
        call = f"{self.function}({', '.join(map(str, self.arguments))})"
        return {
            "role": ROLE_NAMES[self.role],
            "holder": get_holder(gateway, self.role),
            "act": self.text,
            "to": gateway.deployment.registry,
            "call": call,
            "data": Web3.to_hex(hexstr=data),
        }


def list_acts(parameters: Parameters) -> list[Act]:
    """All acts that a parameters file asks for, in the sequence in which the registry takes them."""
    grid, tariff = parameters.grid, parameters.tariff
    tables = (TableWord(row).encode() for row in (tariff.surcharge_bps, tariff.haircut_bps, tariff.rebate_bps))
    price = format_unit_price(parameters.imbalance_price, grid)
    acts = [
        Act(
            REGULATOR,
            f"publish the tariff: imbalance price {price}, three tables",
            "publish_tariff",
            (tariff.imbalance_steps, *tables),
        )
    ]
    for number, retail in enumerate(parameters.retail):
        text = f"set the retail price of class {number}{_called(retail.name)} to "
        text += format_unit_price(retail.price_per_wh, grid)
        acts.append(Act(REGULATOR, text, "set_retail", (number, retail.price_per_wh)))
    for number, feeder in enumerate(parameters.feeders):
        text = f"set the network fee of feeder {number}{_called(feeder.name)} to "
        text += format_unit_price(feeder.fee_per_wh, grid)
        if feeder.fee_per_wh:
            acts.append(Act(REGULATOR, text, "set_feeder_fee", (number, feeder.fee_per_wh)))
        scales = (feeder.import_scale_bps, feeder.export_scale_bps)
        text = f"set the scales of feeder {number}{_called(feeder.name)} to {scales[0]} and {scales[1]} bps"
        if any(scales):
            acts.append(Act(OPERATOR, text, "set_feeder_scale", (number, *scales)))
    return acts


def list_missing(gateway: MarketGateway, parameters: Parameters) -> list[Act]:
    """The acts whose numbers the market does not have yet. One that has another number is not missing."""
    return [act for act in list_acts(parameters) if _is_missing(gateway, act)]


def get_holder(gateway: MarketGateway, role: int) -> str:
    """Who holds a role now."""
    return str(gateway.registry.functions.holders(role).call())


def predict_gas(acts: Sequence[Act]) -> int:
    """What the acts use at most."""
    return sum(ACT_GAS[act.function] for act in acts)


def group_by_role(acts: Sequence[Act]) -> Iterator[tuple[int, list[Act]]]:
    """Role and its acts, for each role that has any; the regulator first."""
    for role in (REGULATOR, OPERATOR):
        own = [act for act in acts if act.role == role]
        if own:
            yield role, own


def _called(name: str) -> str:
    return f" ({name})" if name else ""


def _is_missing(gateway: MarketGateway, act: Act) -> bool:
    number = act.arguments[0]
    if act.function == "publish_tariff":
        return gateway.tariff_head().version == 0
    if act.function == "set_retail":
        return int(gateway.registry.functions.retail(number).call()) == 0
    feeder = gateway.feeder(number)
    if act.function == "set_feeder_fee":
        return feeder.fee_per_wh == 0
    return feeder.import_scale_bps == feeder.export_scale_bps == 0
