"""What the chain says of a campaign's items, against what the bridge said of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hexbytes import HexBytes

from api.fixtures import RELAYER
from cli.village import Home, Village
from peerwatt.market.history import read_events
from peerwatt.market.words import OrderWord
from peerwatt.signing import SELL
from peerwatt_bridge.routes.readings import to_wh

# An order that could not be in a block before its gate: the market refused it, or it was not brought.
TOO_LATE = ("expired", "refused")


@dataclass
class Item:
    """Something signed that is sent until it is answered."""

    path: str
    body: dict[str, Any]
    digest: str | None = None

    @property
    def signature_r(self) -> bytes:
        return bytes.fromhex(self.body["signature"][2:66])


@dataclass
class Outcome:
    """What a campaign found."""

    kills: Counter[str] = field(default_factory=Counter)
    items: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    too_late: int = 0
    recoveries_s: list[float] = field(default_factory=list)
    reorganisations: int = 0

    def line(self) -> str:
        """The campaign in one line."""
        times = sorted(self.recoveries_s)
        p95_s = times[min(len(times) * 95 // 100, len(times) - 1)] if times else 0.0
        at_steps = sum(count for step, count in self.kills.items() if step != "any moment")
        return (
            f"{sum(self.kills.values())} kills ({at_steps} at a step, {self.kills['any moment']} at any moment), "
            f"{self.reorganisations} reorganisations, {self.items} items accepted: "
            f"{len(self.lost)} lost, {len(self.doubled)} doubled; "
            f"{self.too_late} orders came too late for their gate and are said to; "
            f"a new life answers after {p95_s:.2f} s (p95)"
        )


class Judge:
    """Compares."""

    def __init__(
        self,
        village: Village,
        sellers: Sequence[Home],
        accepted: Sequence[Item],
        statuses: Mapping[str | None, str],
        outcome: Outcome,
    ) -> None:
        self._village = village
        self._sellers = sellers
        self._accepted = accepted
        self._statuses = statuses
        self._outcome = outcome

    def judge(self) -> None:
        """Each accepted item is final, and its signature is in one transaction that succeeded, and in no other one."""
        outcome, w3 = self._outcome, self._village.w3
        outcome.items = len(self._accepted)
        sent: list[tuple[bytes, str]] = []
        for number in range(w3.eth.block_number + 1):
            for transaction in w3.eth.get_block(number, full_transactions=True)["transactions"]:
                if transaction["from"] == RELAYER.address:  # type: ignore[index]
                    receipt = w3.eth.get_transaction_receipt(transaction["hash"])  # type: ignore[index]
                    if receipt["status"] == 1:
                        events = self._village.gateway.get_events(receipt)
                        skipped = [event.args["index"] for event in events if event.name == "ItemSkipped"]
                        place = f"block {number}, items skipped there: {skipped or 'none'}"
                        sent.append((bytes(HexBytes(transaction["input"])), place))  # type: ignore[index]
        everything = b"|".join(data for data, _ in sent)
        placed = self._read_placed()
        closing_wh: Counter[str] = Counter()
        for item in self._accepted:
            times, status = everything.count(item.signature_r), self._statuses[item.digest]
            if times > 1:
                places = "; ".join(place for data, place in sent if item.signature_r in data)
                outcome.doubled.append(f"{item.path} {item.digest}: in {times} transactions ({places})")
            if (status == "final" and times == 0) or not self._is_true(item, status, placed):
                outcome.lost.append(f"{item.path} {item.digest}: {status}, in {times} transactions")
            if status in TOO_LATE:
                outcome.too_late += 1
            if item.path == "readings" and status == "final":
                closing_wh[item.body["meter"]] = max(closing_wh[item.body["meter"]], closing_of(item.body))
        for home in self._sellers:
            told_wh, done_wh = closing_wh[home.meter], self._village.gateway.exports(home.account).register_wh
            if done_wh != told_wh:
                outcome.lost.append(f"{home.name}: {told_wh} Wh are said to be final, the chain has {done_wh} Wh")

    def _read_placed(self) -> Counter[tuple[str, int]]:
        """How often the market accepted each order, by account and nonce."""
        gateway = self._village.gateway
        events = read_events(gateway, ["OrderPlaced"], gateway.w3.eth.block_number)
        return Counter(
            (str(event.args["account"]), OrderWord.decode(int(event.args["order"])).nonce) for event in events
        )

    def _is_true(self, item: Item, status: str, placed: Counter[tuple[str, int]]) -> bool:
        """Whether the chain bears out what the bridge says became of an item.

        An order that came to a block after its gate is refused, or was not brought at all; then nothing was sold in its
        window, and the reading of it stays with the home. Both are said, and neither is lost.
        """
        if item.path == "orders":
            message = item.body["message"]
            count = placed[message["maker"], message["nonce"]]
            return count == 1 if status == "final" else status in TOO_LATE and count == 0
        if status == "held":
            return (item.body["meter"], item.body["first_window"]) not in self._sales(placed)
        return status == "final"

    def _sales(self, placed: Counter[tuple[str, int]]) -> set[tuple[str, int]]:
        """Meter and window of each sale: both sides of the pair are in the market."""
        sides: dict[int, list[str]] = defaultdict(list)
        meters: dict[int, str] = {}
        for item in self._accepted:
            if item.path == "orders":
                message = item.body["message"]
                if placed[message["maker"], message["nonce"]]:
                    sides[message["firstWindow"]].append(message["maker"])
                    if message["side"] == SELL:
                        meters[message["firstWindow"]] = message["meter"]
        return {(meters[window], window) for window, makers in sides.items() if len(makers) == 2}


def closing_of(body: dict[str, Any]) -> int:
    """A reading's last register [Wh]."""
    return to_wh(body["values"][-1], body["unit"])
