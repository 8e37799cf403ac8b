"""What is at stake where the chain is not what it must be: Wh and money of the fields that differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from peerwatt.audit.readings import Reading
from peerwatt.reference.parameters import MarketParameters
from peerwatt.reference.settlement import Settled
from peerwatt.reference.state import MarketState
from peerwatt.reference.tariffs import unit_reserve


@dataclass(frozen=True)
class Stake:
    """Energy and money, neither negative [Wh, base units]."""

    energy_wh: int = 0
    amount: int = 0

    def __add__(self, other: Stake) -> Stake:
        return Stake(self.energy_wh + other.energy_wh, self.amount + other.amount)


class Stakes:
    """Measures differences of one market.

    Args:
        market: as the replay has it after the transaction that differs.
    """

    def __init__(self, market: MarketState) -> None:
        self._market = market

    def of_difference(self, expected: Reading, found: Reading, settled: Iterable[Settled] = ()) -> Stake:
        """Of two logs that should be one, or of two values of one storage word.

        Args:
            settled: what the transaction settled in the replay.
        """
        if expected.name != found.name:
            return self.of_missing(expected, settled) + self.of_extra(found)
        pairs = zip(_measure(expected, self._market.parameters), _measure(found, self._market.parameters), strict=True)
        # Of money that only went another way the sum is the same: the largest difference tells what is at stake.
        energy_wh, *amounts = (abs(one - other) for one, other in pairs)
        amount = max(amounts)
        if "order.nonce" in expected.fields and not (energy_wh or amount):
            # The same energy, but for another time, or on another side.
            return self.of_extra(found)
        if "wallet.balance" in expected.fields and not energy_wh:
            energy_wh = sum(entry.fill_wh for entry in settled if entry.account == expected.fields.get("account"))
        return Stake(energy_wh, amount)

    def of_missing(self, expected: Reading, settled: Iterable[Settled] = ()) -> Stake:
        """Of a log that the chain does not have."""
        if "wallet.balance" not in expected.fields:
            energy_wh, *amounts = _measure(expected, self._market.parameters)
            return Stake(energy_wh, max(amounts))
        own = [entry for entry in settled if entry.account == expected.fields.get("account")]
        amount = sum(entry.payment.paid + entry.payment.received for entry in own)
        return Stake(sum(entry.fill_wh for entry in own), amount)

    def of_extra(self, found: Reading) -> Stake:
        """Of a log that the chain must not have."""
        energy_wh, *amounts = _measure(found, self._market.parameters)
        if "wallet.balance" in found.fields:
            before = self._market.wallet(str(found.fields.get("account")))
            balance, reserved = found.number("wallet.balance"), found.number("wallet.reserved")
            amounts = [abs(balance - before.balance) or abs(reserved - before.reserved)]
        return Stake(energy_wh, max(amounts))


def _measure(reading: Reading, parameters: MarketParameters) -> tuple[int, int, int]:
    """Energy [Wh] and two amounts [base units] that a log or a word is about."""
    number = reading.number
    if "order.nonce" in reading.fields or "limit_level" in reading.fields:
        prefix = "order." if "order.nonce" in reading.fields else ""
        energy_wh = number(f"{prefix}energy_wh") * number(f"{prefix}count")
        side, level = number(f"{prefix}side"), number(f"{prefix}limit_level")
        try:
            unit = unit_reserve(parameters, side, level, number(f"{prefix}imbalance_steps"))
        except ArithmeticError:
            # An offer above the imbalance price, which no honest contract takes.
            unit = 0
        return energy_wh, energy_wh * unit, 0
    if reading.name == "WindowCleared":
        price = parameters.floor_price + number("result.level") * parameters.price_step
        traded_wh = number("traded_wh")
        return traded_wh, traded_wh * price, 0
    if reading.name == "WindowClosed":
        return number("rounding_wh"), 0, 0
    if reading.name == "FundsCredited":
        return 0, number("balancing"), number("network")
    if "wallet.balance" in reading.fields:
        growths = reading.fields.get("growths") or (0,)
        energy_wh = sum(growth for growth in growths if isinstance(growth, int))
        return energy_wh, number("wallet.balance"), number("wallet.reserved")
    if "balance" in reading.fields:
        return 0, number("balance"), number("reserved")
    # A number that a getter gives is money only where it is the token's.
    return 0, number("value") if reading.name.startswith("SettlementToken.") else number("amount"), 0
