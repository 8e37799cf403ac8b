"""The replay: every transaction again, in the reference, until what it logs is not what the chain logged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from eth_abi.exceptions import DecodingError

from peerwatt.audit.acts import Acts, Found
from peerwatt.audit.calldata import MARKET, REGISTRY, decode_call
from peerwatt.audit.encoding import event_name, to_log
from peerwatt.audit.history import Block, Call, Log, Transaction
from peerwatt.audit.inference import infer
from peerwatt.audit.readings import read_log, tell_apart
from peerwatt.audit.stakes import Stake, Stakes
from peerwatt.market.deployment import Deployment
from peerwatt.reference import Market, Refused, Registry
from peerwatt.reference.forgetting import forget_lines
from peerwatt.reference.parameters import MarketParameters, RegistryParameters
from peerwatt.reference.publication import METER_CLASSES
from peerwatt.reference.state import Event
from peerwatt.refusals.base import MarketError
from peerwatt.signing import Domain

UNSEEN = "it came through another contract and the node gave no trace: senders and signatures are unchecked"
# Logs of a call that had to be refused.
SHOWN = 4


@dataclass(frozen=True)
class Divergence:
    """The first place where the chain is not what it must be.

    Attributes:
        block, transaction, log_index: where; the log index of the log that differs, or of the transaction's first one;
            an empty transaction and no index where it is none of a log.
        expected, found: in words.
        energy_wh, amount: what is at stake, as far as the difference tells [Wh, base units].
    """

    block: int
    transaction: str
    log_index: int | None
    expected: str
    found: str
    energy_wh: int = 0
    amount: int = 0


@dataclass
class Unchecked:
    """What could not be checked, and why."""

    transaction: str
    what: str


class Replay:
    """A market done again.

    Attributes:
        acts: the reference and what acts on it.
        counts: how many calls of each function were done.
        enlisted: how many events of each name the registry has logged, and forgotten.
        divergence: the first one; nothing after it was replayed.
        unchecked: calls whose signatures nobody could see.
    """

    def __init__(
        self,
        deployment: Deployment,
        deployed_at_s: int,
        accepted_meter_classes: int,
        predecessor: object = None,
    ) -> None:
        """
        Args:
            deployed_at_s: time of the market's block [Unix s].
            accepted_meter_classes: bitmap given to the registry's constructor.
            predecessor: `score_of` of an older registry, None for none.
        """
        roles = deployment.roles
        market = Market(
            deployed_at_s,
            MarketParameters(
                token=deployment.token,
                registry=deployment.registry,
                balancing_account=roles.balancing_account,
                network_account=roles.network_account,
                **asdict(deployment.parameters),
            ),
            deployment.market,
        )
        registry = Registry(
            market,
            RegistryParameters(
                deployment.market,
                roles.operator,
                roles.regulator,
                accepted_meter_classes % (1 << METER_CLASSES),
                roles.balancing_account,
                roles.network_account,
                predecessor,  # type: ignore[arg-type]
            ),
        )
        self.domain = Domain(deployment.chain_id, deployment.market)
        self.acts = Acts(market, registry, self.domain)
        self.counts: Counter[str] = Counter()
        self.enlisted: Counter[str] = Counter()
        self.divergence: Divergence | None = None
        self.unchecked: list[Unchecked] = []
        self._contracts = {deployment.market.lower(): MARKET, deployment.registry.lower(): REGISTRY}
        self._market_address = deployment.market.lower()
        self._settled_mark = 0

    @property
    def market(self) -> Market:
        """The reference's market as the chain left it."""
        return self.acts.market

    @property
    def registry(self) -> Registry:
        """The reference's registry."""
        return self.acts.registry

    def run(self, transactions: Iterable[tuple[Transaction, Block, Found | None]]) -> None:
        """Does transactions again, up to the first that diverges.

        Args:
            transactions: in the chain's sequence, each with its block and the signers found before, if any.
        """
        for transaction, block, found in transactions:
            if self.divergence is None:
                self.divergence = self.step(transaction, block, found)

    def step(self, transaction: Transaction, block: Block, found: Found | None = None) -> Divergence | None:
        """Does one transaction again, and compares what it logs."""
        if not transaction.to and transaction.calls == ():
            # A deployment: what its constructor logs is a matter of identity.
            return None
        market_mark, registry_mark = len(self.market.log), len(self.registry.log)
        self._settled_mark = len(self.market.ledger)
        refusal = self._do(transaction, block.time_s, found)
        logs = transaction.logs
        if refusal is not None:
            first = logs[0].index if logs else None
            readings = [read_log(log.topics, log.data) for log in logs]
            told = "; ".join(reading.describe() for reading in readings[:SHOWN])
            more = f"; and {len(readings) - SHOWN} more logs" if len(readings) > SHOWN else ""
            stake = sum((self._stakes.of_extra(reading) for reading in readings), Stake())
            return self._diverged(
                transaction, first, f"refused: {refusal}", f"accepted, and logged {told}{more}", stake
            )
        expected = {
            self._market_address: self.market.log[market_mark:],
            **{
                address: self.registry.log[registry_mark:]
                for address, name in self._contracts.items()
                if name == REGISTRY
            },
        }
        for address, events in expected.items():
            of_contract = [log for log in logs if log.address == address]
            divergence = self._compare(transaction, events, of_contract)
            if divergence is not None:
                return divergence
        return None

    def forget(self) -> None:
        """Adds up what was logged and settled so far, and keeps no more of it."""
        self.enlisted.update(event.name for event in self.registry.log)
        self.registry.log.clear()
        forget_lines(self.market)

    def _do(self, transaction: Transaction, now_s: int, found: Found | None) -> str | None:
        """Does the calls of a transaction; the reason if one of them must have been refused."""
        try:
            if transaction.calls is None:
                self.unchecked.append(Unchecked(f"0x{transaction.hash.hex()}", UNSEEN))
                infer(self.acts, transaction.logs, now_s)
            else:
                deposits = self._deposits(transaction)
                for call in transaction.calls:
                    self._call(call, now_s, deposits, found)
        except Refused as refused:
            return refused.reason
        except (MarketError, DecodingError, KeyError, ValueError, TypeError) as error:
            # Calldata or logs that no honest contract has: the reference takes no value out of its type's range.
            return f"{type(error).__name__}: {error}"
        return None

    def _call(self, call: Call, now_s: int, deposits: Iterator[int], found: Found | None) -> None:
        invocation = decode_call(self._contracts[call.contract], call.data)
        self.counts[invocation.function] += 1
        self.acts.do(invocation, now_s, call.caller, deposits, found)

    def _deposits(self, transaction: Transaction) -> Iterator[int]:
        for log in transaction.logs:
            if log.topics and event_name(log.topics[0]) == "Deposited":
                yield int.from_bytes(log.data[-32:], "big")

    def _compare(self, transaction: Transaction, events: list[Event], logs: list[Log]) -> Divergence | None:
        told = [(log.topics, log.data) for log in logs]
        due = [to_log(event, self.domain) for event in events]
        first = next((at for at, (one, two) in enumerate(zip(due, told, strict=False)) if one != two), None)
        if first is None and len(due) == len(told):
            return None
        first = min(len(due), len(told)) if first is None else first
        expected = read_log(*due[first]) if first < len(due) else None
        found = read_log(*told[first]) if first < len(told) else None
        index = logs[min(first, len(logs) - 1)].index if logs else None
        settled = self.market.ledger[self._settled_mark :]
        if expected is None or (first < len(due) and due[first] in told[first:]):
            # What was expected comes later, or never had to come: this log is one too many.
            assert found is not None
            text = "no log" if expected is None else f"no such log; the next one is {expected.describe()}"
            return self._diverged(transaction, index, text, found.describe(), self._stakes.of_extra(found))
        if found is None or told[first] in due[first:]:
            text = "no such log" if found is None else f"no such log; the next one is {found.describe()}"
            stake = self._stakes.of_missing(expected, settled)
            return self._diverged(transaction, index, expected.describe(), text, stake)
        stake = self._stakes.of_difference(expected, found, settled)
        return self._diverged(transaction, index, *tell_apart(expected, found), stake)

    def _diverged(
        self, transaction: Transaction, log_index: int | None, expected: str, found: str, stake: Stake
    ) -> Divergence:
        where = transaction.block, f"0x{transaction.hash.hex()}", log_index
        return Divergence(*where, expected, found, stake.energy_wh, stake.amount)

    @property
    def _stakes(self) -> Stakes:
        return Stakes(self.market)
