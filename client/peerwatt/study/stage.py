"""The stage of the study: one market on a chain and the reference model beside it, told the same acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from web3 import Web3
from web3.types import TxReceipt

from peerwatt.exceptions import from_code
from peerwatt.market.deployment import Deployment, MarketNumbers, Roles, deploy_market
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.senders import Sender
from peerwatt.market.words import TableWord
from peerwatt.reference import messages as reference_messages
from peerwatt.reference.market import Market
from peerwatt.reference.messages import Item
from peerwatt.reference.parameters import MarketParameters, RegistryParameters
from peerwatt.reference.registry import Application, Registry, Terms
from peerwatt.reference.tariffs import Tables
from peerwatt.signing import Domain, Enrolment, Permit, sign
from peerwatt.study.community import Participant
from peerwatt.study.models import StudyConfig

# Edge-signed meters: what a home of the study has.
METER_CLASS = 1
FEEDING_IN = 2
ONLY_CONSUMING = 1
BPS = 10_000
FAR_DEADLINE_S = 30 * 86400
# A first order in fresh storage costs up to 110,000 gas: so many fit below a transaction's limit of 2^24 (EIP-7825).
ITEMS_PER_RELAY = 120


@dataclass
class Gas:
    """Whole receipts by what they were for [gas]."""

    setup: int = 0
    order: int = 0
    clear: int = 0
    settle: int = 0


@dataclass(frozen=True)
class Cast:
    """Who sends what: the operator also deploys, mints and relays; anyone could relay."""

    operator: Sender
    regulator: Sender
    relayer: Sender
    balancing_account: str
    network_account: str


@dataclass(frozen=True)
class SignedItem:
    """A packed item for the chain, and the same act for the reference."""

    words: list[int]
    item: Item


class Stage:
    """A market on a chain and in the reference, kept in step.

    Every act goes to the chain first; the reference gets it with the timestamp of the block that holds it. A difference
    between the two answers raises at once; differences of storage are for `peerwatt.market.parity`.
    """

    def __init__(self, w3: Web3, cast: Cast, config: StudyConfig) -> None:
        self.cast = cast
        self.config = config
        self.gas = Gas()
        first_block = int(w3.eth.block_number)
        numbers = MarketNumbers(
            window_seconds=config.market.window_seconds,
            lead_seconds=config.market.lead_seconds,
            floor_price=config.market.floor_price,
            price_step=config.market.price_step,
            report_deadline_seconds=config.settlement.report_deadline_seconds,
            max_reading_age_seconds=config.settlement.max_reading_age_seconds,
            min_order_wh=config.market.min_order_wh,
            tolerance_bps=config.reputation.tolerance_bps,
            inertia_wh=config.reputation.inertia_wh,
        )
        roles = Roles(
            cast.operator.address, cast.regulator.address, cast.balancing_account, cast.network_account
        )
        self.deployment: Deployment = deploy_market(w3, cast.operator, numbers, roles)
        self.gateway = MarketGateway(w3, self.deployment)
        self.domain = Domain(self.deployment.chain_id, self.deployment.market)
        deployed_at_s = int(w3.eth.get_block(self.deployment.block)["timestamp"])
        self.market = Market(
            deployed_at_s,
            MarketParameters(
                token=self.deployment.token,
                registry=self.deployment.registry,
                balancing_account=cast.balancing_account,
                network_account=cast.network_account,
                **asdict(numbers),
            ),
            self.deployment.market,
        )
        self.registry = Registry(
            self.market,
            RegistryParameters(
                market=self.deployment.market,
                operator=cast.operator.address,
                regulator=cast.regulator.address,
                accepted_meter_classes=0b11,
                balancing_account=cast.balancing_account,
                network_account=cast.network_account,
            ),
        )
        blocks = range(first_block + 1, int(w3.eth.block_number) + 1)
        self.gas.setup += sum(int(w3.eth.get_block(number)["gasUsed"]) for number in blocks)
        self._token_domain = self.gateway.token_domain()

    def publish(self) -> None:
        """The regulator's and the operator's numbers: tariff, retail prices, feeder fees and scales."""
        chain, model = self.gateway.registry.functions, self.registry
        market, reputation = self.config.market, self.config.reputation
        steps = (market.imbalance_price - market.floor_price) // market.price_step
        tables = Tables(
            tuple(reputation.surcharge_bps), tuple(reputation.haircut_bps), tuple(reputation.rebate_bps)
        )
        words = [TableWord(row).encode() for row in (tables.surcharges, tables.haircuts, tables.rebates)]
        regulator, operator = self.cast.regulator, self.cast.operator
        now = self._set_up(regulator, chain.publish_tariff(steps, *words))
        model.publish_tariff(now, regulator.address, steps, tables)
        for index, retail in enumerate(self.config.retail):
            now = self._set_up(regulator, chain.set_retail(index, retail.price))
            model.set_retail(now, regulator.address, index, retail.price)
        for index, feeder in enumerate(self.config.feeders):
            now = self._set_up(regulator, chain.set_feeder_fee(index, feeder.network_fee))
            model.set_feeder_fee(now, regulator.address, index, feeder.network_fee)
            now = self._set_up(operator, chain.set_feeder_scale(index, BPS, BPS))
            model.set_feeder_scale(now, operator.address, index, BPS, BPS)

    def admit(self, participants: Sequence[Participant]) -> None:
        """Enrols homes in one batch (account and meter sign, the operator certifies) and deposits their money."""
        deadline = self.gateway.now_s() + FAR_DEADLINE_S
        packed, applications = [], []
        for participant in participants:
            home = participant.home
            message = Enrolment(
                participant.account, participant.meter, participant.imported_wh, participant.exported_wh, deadline
            )
            by_account = sign(message, self.domain, participant.account_key)
            by_meter = sign(message, self.domain, participant.meter_key)
            terms = Terms(
                home.import_limit_wh,
                home.export_limit_wh,
                home.feeder,
                FEEDING_IN if home.kind == "prosumer" else ONLY_CONSUMING,
                METER_CLASS,
                home.retail_class,
            )
            fields = (message.account, message.meter, message.imported_wh, message.exported_wh, message.deadline)
            words = (by_account.r, by_account.vs, by_meter.r, by_meter.vs)
            packed.append((participant.connection, tuple(asdict(terms).values()), fields, *words))
            applications.append(
                Application(
                    participant.connection,
                    terms,
                    reference_messages.Enrolment(*fields),
                    participant.account,
                    participant.meter,
                )
            )
        operator = self.cast.operator
        now = self._set_up(operator, self.gateway.registry.functions.enrol_many(packed))
        self.registry.enrol_many(now, operator.address, applications)
        receivers = [participant.account for participant in participants]
        amounts = [participant.home.deposit for participant in participants]
        self._set_up(operator, self.gateway.token.functions.mint_many(receivers, amounts))
        for participant in participants:
            if participant.home.deposit:
                self._deposit(participant, deadline)

    def _deposit(self, participant: Participant, deadline: int) -> None:
        """Deposits a home's money by its permit: the home needs no gas money."""
        amount = participant.home.deposit
        permit = Permit(participant.account, self.deployment.market, amount, 0, deadline)
        signed = sign(permit, self._token_domain, participant.account_key)
        call = self.gateway.market.functions.deposit_permit(
            participant.account,
            amount,
            deadline,
            signed.v,
            signed.r.to_bytes(32, "big"),
            signed.s.to_bytes(32, "big"),
        )
        now = self._set_up(self.cast.relayer, call)
        self.market.deposit_permit(now, participant.account, amount, allowance=amount)

    def count_as_setup(self) -> None:
        """What was relayed and cleared so far belongs to the set-up: the figures are for what follows."""
        self.gas = Gas(setup=self.gas.setup + self.gas.order + self.gas.clear + self.gas.settle)

    def relay_orders(self, items: Sequence[SignedItem]) -> None:
        """Relays signed orders in batches."""
        self.gas.order += self._relay(items)

    def relay_settlements(self, items: Sequence[SignedItem]) -> None:
        """Relays reports and dues in batches."""
        self.gas.settle += self._relay(items)

    def clear(self) -> int:
        """Clears what is gated; returns the number of windows."""
        receipt = self.gateway.clear(self.cast.relayer)
        self.gas.clear += int(receipt["gasUsed"])
        return self.market.clear(self._time_of(receipt), 255)

    def _relay(self, items: Sequence[SignedItem]) -> int:
        batches = (items[start : start + ITEMS_PER_RELAY] for start in range(0, len(items), ITEMS_PER_RELAY))
        return sum(self._relay_batch(batch) for batch in batches)

    def _relay_batch(self, batch: Sequence[SignedItem]) -> int:
        receipt = self.gateway.relay(self.cast.relayer, [word for signed in batch for word in signed.words])
        codes = self.market.relay(self._time_of(receipt), [signed.item for signed in batch])
        skipped = {
            int(event.args["index"]): int(event.args["reason"])
            for event in self.gateway.get_events(receipt)
            if event.name == "ItemSkipped"
        }
        expected = {index: code for index, code in enumerate(codes) if code}
        if skipped != expected:
            raise AssertionError(f"the chain skipped {skipped}, the reference {expected}; report this as a bug")
        if skipped:
            raise from_code(next(iter(skipped.values())))
        return int(receipt["gasUsed"])

    def _set_up(self, sender: Sender, call: object) -> int:
        receipt = self.gateway.act(sender, call)
        self.gas.setup += int(receipt["gasUsed"])
        return self._time_of(receipt)

    def _time_of(self, receipt: TxReceipt) -> int:
        return int(self.gateway.w3.eth.get_block(receipt["blockNumber"])["timestamp"])
