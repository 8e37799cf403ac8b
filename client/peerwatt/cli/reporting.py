"""From registers to a settled report: what `peerwatt meter` does once it has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.types import TxReceipt

from peerwatt.cli import output, settlements
from peerwatt.cli.delivery import NO_FEES, not_there, read_receipt
from peerwatt.cli.errors import ConfigurationError, RefusedError
from peerwatt.cli.fees import need_gas_money
from peerwatt.cli.session import Session
from peerwatt.exceptions import NotEnrolled, NotTheBoundMeter, from_code
from peerwatt.market import relay
from peerwatt.market.accounts import AccountState, read_account
from peerwatt.market.clock import MarketClock
from peerwatt.market.funds import paid_fee_wei
from peerwatt.market.rehearsal import rehearse_accounts
from peerwatt.meter.files import ReportFileError, load_reports, to_json
from peerwatt.meter.readings import REGISTERS, Reading, join_to_stored
from peerwatt.meter.reports import cut_reports, needed_side
from peerwatt.meter.submission import SignedReport, Step, plan_steps
from peerwatt.reference.state import MarketState
from peerwatt.signing import SELL, Report, recover, sign
from peerwatt.units import format_energy
from peerwatt.wallet.keystores import Keystore

# What a relay and each of its items and settled windows use, for the fees that are said beforehand.
RELAY_GAS, ITEM_GAS, WINDOW_GAS = 30_000, 60_000, 12_000


class Reporting:
    """One meter's reports, from its keystore to the market.

    Attributes:
        clock: the market's windows when the command began.
    """

    def __init__(self, session: Session, keystore: Keystore, password_file: Path | None) -> None:
        self.session = session
        self.clock: MarketClock = session.clock
        self._keystore = keystore
        self._password_file = password_file

    @cached_property
    def _key(self) -> LocalAccount:
        return self.session.unlock(self._keystore, self._password_file)

    @cached_property
    def meter(self) -> str:
        """The meter's address."""
        return self._keystore.address or str(self._key.address)

    @cached_property
    def state(self) -> AccountState:
        """The account that the meter is bound to."""
        return find_account(self.session, self.meter)

    @cached_property
    def market(self) -> MarketState:
        """The reference with the account in it, as it is on the chain."""
        return rehearse_accounts(self.session.gateway, [self.state])

    def stored(self, side: int) -> Reading:
        """The market's last reading of a register."""
        word = self.state.exports if side == SELL else self.state.imports
        return Reading(word.window, word.register_wh, "the market's last reading")

    def needs(self, side: int) -> bool:
        """Whether an open window of the account needs a register."""
        account = self.state.address.lower()
        return any(needed_side(self.market, account, window) == side for window in self.state.open_windows)

    def run(
        self, readings: Mapping[int, Sequence[Reading]], *, every_window: bool, sign_only: Path | None
    ) -> None:
        """Says what will be signed and settled, asks, signs, relays; or writes what was signed to a file."""
        joined = {side: join_to_stored(self.stored(side), given, side, self.clock) for side, given in readings.items()}
        account = self.state.address.lower()
        reports = cut_reports(self.market, account, joined, self.clock, every_window=every_window)
        steps = plan_steps(
            self.market, self.state.address, [(report, self.meter) for report in reports], self.clock
        )
        if sign_only is not None and sign_only.exists():
            raise ConfigurationError(f"{sign_only} exists; name another file, nothing is overwritten")
        session = self.session
        session.say(f"Meter {self.meter} of account {self.state.address} signs:")
        preview(session, steps, self.clock)
        if sign_only is None:
            say_fees(session, steps)
        session.confirm("Sign?" if sign_only else "Sign and send?")
        signed = [SignedReport(report, sign(report, session.domain, self._key.key)) for report in reports]
        if sign_only is None:
            send(session, steps, signed, self.clock)
            return
        content = to_json(session.domain, signed)
        sign_only.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        session.emit(
            {"file": str(sign_only), "account": self.state.address, "reports": content["reports"]},
            f"{len(signed)} signed report(s) in {sign_only}; relay with: peerwatt meter submit {sign_only}",
        )


def submit_file(session: Session, file: Path) -> None:
    """Relays the reports of a file."""
    try:
        signed = load_reports(file, session.domain)
    except ReportFileError as error:
        raise ConfigurationError(str(error)) from None
    clock = session.clock
    state = find_account(session, signed[0].report.meter)
    market = rehearse_accounts(session.gateway, [state])
    signers = [recover(entry.report, session.domain, entry.signature) for entry in signed]
    reports = [entry.report for entry in signed]
    steps = plan_steps(market, state.address, list(zip(reports, signers, strict=True)), clock)
    session.say(f"Meter {signed[0].report.meter} of account {state.address} signed:")
    preview(session, steps, clock)
    say_fees(session, steps)
    session.confirm("Send?")
    send(session, steps, signed, clock)


def find_account(session: Session, meter: str) -> AccountState:
    """The account that a meter is bound to.

    Raises:
        NotEnrolled: to none.
        NotTheBoundMeter: another meter took its place.
    """
    address = Web3.to_checksum_address(meter)
    account = str(session.gateway.registry.functions.meter_bound_to(address).call())
    if int(account, 16) == 0:
        raise NotEnrolled(
            f"the meter {address} is bound to no account of this market; have the operator enrol it, "
            "with the consent that peerwatt join writes",
            meter=address,
        )
    state = read_account(session.gateway, account)
    bound = state.exports.meter
    if bound != address:
        now = "no meter" if int(bound, 16) == 0 else f"the meter {bound}"
        raise NotTheBoundMeter(
            f"the meter {address} was bound to {account}, which has {now} by now; name the meter in use with --meter",
            meter=address,
            bound=bound,
        )
    return state


def preview(session: Session, steps: Sequence[Step], clock: MarketClock) -> None:
    """Says what reports tell and what they will settle."""
    for step in steps:
        if step.report is not None:
            session.say(f"  {describe(step.report, clock)}")
    settled = [line for step in steps for line in step.settled]
    if not settled:
        session.say("No window with an order waits for it: nobody is paid. Offers need a register that is not too old.")
        return
    session.say("That settles")
    session.say(settlements.to_table(settled, clock, session.grid))
    session.say(settlements.summarise(settled, session.grid))


def say_fees(session: Session, steps: Sequence[Step]) -> None:
    """Says what sending costs --account, and makes sure that it has something to pay it with."""
    gas = RELAY_GAS + sum(ITEM_GAS + WINDOW_GAS * len(step.settled) for step in steps)
    balance_wei = int(session.w3.eth.get_balance(Web3.to_checksum_address(session.address)))
    session.say(need_gas_money(session, session.address, balance_wei, gas))


def describe(report: Report, clock: MarketClock) -> str:
    """A report in words."""
    first, count, name = report.first_window, len(report.growths_wh), REGISTERS[report.side]
    closing = format_energy(report.registers[-1])
    if count == 0:
        return f"{name} register {closing} at {clock.format_time(clock.start_s(first))}"
    span = clock.format_span(first, first + count - 1)
    opening = format_energy(report.registers[0])
    return f"{name} register {opening} to {closing} in {span} ({count} window{'s' if count > 1 else ''})"


def send(session: Session, steps: Sequence[Step], signed: Sequence[SignedReport], clock: MarketClock) -> None:
    """Relays the items and says how each window was settled.

    Raises:
        RefusedError: the market skipped an item, since something changed meanwhile.
    """
    if session.bridge is None:
        receipts, skipped = _send(session, steps, signed)
    else:
        receipts, skipped = _bring(session, steps[0].account, signed), {}
    done = [step for index, step in enumerate(steps) if index not in skipped]
    lines = [line for step in done for line in step.settled]
    hashes = ", ".join(Web3.to_hex(receipt["transactionHash"]) for receipt in receipts)
    fee_wei = paid_fee_wei(receipts) if session.bridge is None else 0
    result: dict[str, Any] = {
        "account": steps[0].account,
        "meter": signed[0].report.meter,
        "transactions": [
            {"hash": Web3.to_hex(receipt["transactionHash"]), "gas_used": int(receipt["gasUsed"])}
            for receipt in receipts
        ],
        "fee_wei": fee_wei,
        "reports": [
            {
                "side": REGISTERS[step.report.side],
                "first_window": step.report.first_window,
                "windows": len(step.report.growths_wh),
                "opening_wh": step.report.registers[0],
                "closing_wh": step.report.registers[-1],
            }
            for step in done
            if step.report is not None
        ],
        "windows": [settlements.to_json(line, clock) for line in lines],
        "skipped": [{"item": index, "reason": from_code(code).reason} for index, code in skipped.items()],
    }
    windows = f"{len(lines)} window{'' if len(lines) == 1 else 's'}"
    fees = f"Fees: {output.gas_money(fee_wei)}" if session.bridge is None else NO_FEES.rstrip(".")
    text = [f"Reported, {windows} settled. {fees}. Transaction {hashes}"]
    text += [f"  {settlements.in_words(line, clock, session.grid)}" for line in lines]
    session.emit(result, "\n".join(text))
    if skipped:
        index, code = next(iter(skipped.items()))
        raise RefusedError(f"the market skipped item {index} of {len(steps)}: {from_code(code)}")


def _send(
    session: Session, steps: Sequence[Step], signed: Sequence[SignedReport]
) -> tuple[list[TxReceipt], dict[int, int]]:
    """Receipts, and the reason code of each item that was skipped."""
    gateway, sender = session.gateway, session.sender()
    signatures = iter(signed)
    items = [step.to_item(None if step.report is None else next(signatures).signature) for step in steps]
    receipts: list[TxReceipt] = []
    skipped: dict[int, int] = {}
    at = 0
    for words in relay.batches(items):
        with session.waiting("waiting for the transaction"):
            receipt = gateway.relay(sender, words)
        for event in gateway.get_events(receipt):
            if event.name == "ItemSkipped":
                skipped[at + int(event.args["index"])] = int(event.args["reason"])
        at += len(relay.unpack(words))
        receipts.append(receipt)
    return receipts, skipped


def _bring(session: Session, account: str, signed: Sequence[SignedReport]) -> list[TxReceipt]:
    """The receipts of what the bridge sent; what is due in between it settles too."""
    assert session.bridge is not None
    with session.waiting("the bridge brings it to the chain"):
        brought = session.bridge.bring_reports(signed)
    receipts = {one.transaction: read_receipt(session, one) for one in brought}
    for transaction, receipt in receipts.items():
        events = session.gateway.get_events(receipt)
        if not any(event.name == "ReportSettled" and event.args["account"] == account for event in events):
            raise not_there(session, transaction)
    return list(receipts.values())
