"""The market's state rebuilt from its logs by the rules of the reference model: of one account, or of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from peerwatt.market import words
from peerwatt.market.deployment import Deployment
from peerwatt.market.events import Event
from peerwatt.market.relay_words import unpack_growths
from peerwatt.reference import auction, meters, offers, participants, settlement, tariffs, wallets
from peerwatt.reference.parameters import MarketParameters
from peerwatt.reference.reasons import Refused
from peerwatt.reference.settlement import Funds, Settled
from peerwatt.reference.state import END_OF_TIME, MarketState
from peerwatt.reference.values import BUY, SELL
from peerwatt.reference.wallets import Wallet

# A window in the log was due when it was settled: late enough for every cause.
LATE_ENOUGH_S = END_OF_TIME * 2**32


class Inconsistent(Exception):
    """A log does not follow from those before it."""


@dataclass(frozen=True)
class Act:
    """One log that concerned an account, and what followed from it.

    Attributes:
        settled: windows that it settled, in their sequence.
        read_side: BUY or SELL, the register that its report read; None without a report.
        wallet: of the account after it.
    """

    event: Event
    settled: tuple[Settled, ...]
    read_side: int | None
    wallet: Wallet


def to_parameters(deployment: Deployment) -> MarketParameters:
    """A manifest's parameters as the reference model takes them."""
    return MarketParameters(
        token=deployment.token,
        registry=deployment.registry,
        balancing_account=deployment.roles.balancing_account,
        network_account=deployment.roles.network_account,
        **asdict(deployment.parameters),
    )


class Replay:
    """Applies logs in their sequence to a state of the reference model.

    With the logs of one account and the market's clearings it follows that account exactly; the others' energy in the
    results is then not counted down.

    Attributes:
        state: after the logs so far. Addresses are in lower case.
        acts: by account, in their sequence.
        differences: one line for each log that says something else than the rules give.
        retail_classes: by account, of its newest connection, also after it left.
    """

    def __init__(self, deployment: Deployment) -> None:
        roles = deployment.roles
        self.state = MarketState(
            parameters=to_parameters(deployment),
            address=deployment.market.lower(),
            balancing_account=roles.balancing_account.lower(),
            network_account=roles.network_account.lower(),
            book_state=auction.BookState(cleared=0),
        )
        self.acts: dict[str, list[Act]] = {}
        self.differences: list[str] = []
        self.retail_classes: dict[str, int] = {}

    def apply_all(self, events: Iterable[Event]) -> Replay:
        """Applies logs; returns itself."""
        for event in events:
            self.apply(event)
        return self

    def apply(self, event: Event) -> None:
        """Applies one log. One that does not follow from those before it is noted and left out."""
        try:
            self._apply(event)
        except (Inconsistent, Refused, ArithmeticError, LookupError) as error:
            self._differ(event, str(error) or type(error).__name__)

    def check_wallet(self, account: str, word: words.WalletWord, where: str) -> None:
        """Notes how a wallet's word differs from the rebuilt one."""
        rebuilt = asdict(self.state.wallet(account.lower()))
        for name, value in asdict(word).items():
            if rebuilt[name] != value:
                by_rules = rebuilt[name]
                self.differences.append(f"{name} of {account} {where} is {value}, by the rules it is {by_rules}")

    def _apply(self, event: Event) -> None:
        state, args = self.state, event.args
        account = str(args.get("account", "")).lower()
        settled: list[Settled] = []
        read_side: int | None = None
        match event.name:
            case "WindowCleared":
                word = words.ResultWord.decode(args["result"])
                state.results[args["window"]] = auction.Result(**asdict(word))
                cleared = max(state.book_state.cleared, args["window"])
                state.book_state = replace(state.book_state, cleared=cleared)
            case "BookJumped":
                state.book_state = replace(state.book_state, cleared=args["window"])
            case "BookClosed":
                state.book_state = replace(state.book_state, closed=True)
            case "FundAccountsSet":
                state.balancing_account = args["balancing"].lower()
                state.network_account = args["network"].lower()
            case "FundsCredited":
                wallets.credit(state, state.balancing_account, args["balancing"])
                wallets.credit(state, state.network_account, args["network"])
                for fund in {state.balancing_account, state.network_account}:
                    self._note(fund, event)
            case "Deposited":
                wallets.credit(state, account, args["amount"])
            case "Withdrawn":
                wallets.credit(state, account, -args["amount"])
            case "OrderPlaced":
                self._place(account, _read_order(args["order"]))
            case "OrderCancelled":
                self._cancel(account, _read_order(args["order"]))
            case "ReportSettled":
                read_side, settled = self._settle_report(account, args)
            case "DueSettled":
                settled = self._settle_due(account, words.SettledDueWord.decode(args["windows"]))
            case "ParticipantBound":
                self._bind(account, args)
            case "DeviceSet":
                self._set_device(account, words.DeviceWord.decode(args["device"]))
            case "ParticipantRevoked":
                state.devices.pop(account, None)
                state.exports[account] = replace(meters.get_exports(state, account), revoked=True)
                state.imports[account] = replace(meters.get_imports(state, account), revoked_window=args["window"])
            case "RatedSet":
                state.wallets[account] = replace(state.wallet(account), rated=args["rated"])
            case _:
                return
        if account:
            self._note(account, event, settled, read_side)
        if "wallet" in args:
            self.check_wallet(args["account"], words.WalletWord.decode(args["wallet"]), f"in {_place_of(event)}")

    def _note(self, account: str, event: Event, settled: Iterable[Settled] = (), read_side: int | None = None) -> None:
        act = Act(event, tuple(settled), read_side, self.state.wallet(account))
        self.acts.setdefault(account, []).append(act)

    def _differ(self, event: Event, text: str) -> None:
        self.differences.append(f"{event.name} in {_place_of(event)}: {text}")

    def _place(self, account: str, order: offers.Order) -> None:
        state = self.state
        taken = offers.get_calendar(state, account).open.intersection(order.windows)
        if taken:
            raise Inconsistent(f"window {min(taken)} has an order already")
        level = tariffs.effective_level(
            state.parameters, order.side, order.limit_level, order.adjustment_bps, order.fee_per_wh
        )
        offers.enter(state, account, order)
        if level != order.effective_level:
            raise Inconsistent(f"effective level {order.effective_level}, by its limit {level}")

    def _cancel(self, account: str, left: offers.Order) -> None:
        slot = left.nonce % offers.SLOTS
        order = offers.get_order(self.state, account, slot)
        if left.burnt != order.burnt:
            # A nonce that was never used: the burnt number names the slot, also of a slot without an order.
            self.state.orders[account, left.burnt % offers.SLOTS] = left
        elif left.nonce != order.nonce or left.count >= order.count:
            raise Inconsistent(f"order {left.nonce} was not there to cut")
        else:
            offers.shorten(self.state, account, slot, left.first + left.count)

    def _settle_report(self, account: str, args: Mapping[str, Any]) -> tuple[int, list[Settled]]:
        report = words.SettledReportWord.decode(args["report"])
        growths = unpack_growths(args["growths"], report.n)
        end = report.first + report.n
        windows = [window for window in self._open(account) if window < end]
        if windows and windows[0] < report.first:
            raise Inconsistent(f"the report starts at window {report.first}, window {windows[0]} was open")
        settled = [
            self._settle(account, window, settlement.REPORTED, growths[window - report.first]) for window in windows
        ]
        state = self.state
        if report.side == BUY:
            imports = meters.get_imports(state, account)
            state.imports[account] = replace(imports, register_wh=report.closing_wh, window=end)
        else:
            exports = meters.get_exports(state, account)
            state.exports[account] = replace(exports, register_wh=report.closing_wh, window=end)
        if len(settled) != report.settled:
            raise Inconsistent(f"{report.settled} windows settled, {len(settled)} were open")
        return (BUY if report.side == BUY else SELL), settled

    def _settle_due(self, account: str, due: words.SettledDueWord) -> list[Settled]:
        windows = self._open(account)[: due.count]
        if not windows or (windows[0], windows[-1], len(windows)) != (due.first, due.last, due.count):
            raise Inconsistent(f"windows {due.first} to {due.last} settled, open were {windows[:1]} to {windows[-1:]}")
        settled = []
        for window in windows:
            order = self._order_of(account, window)
            cause = settlement.due_cause(self.state, LATE_ENOUGH_S, account, window, order)
            assert cause is not None
            settled.append(self._settle(account, window, cause, None))
        return settled

    def _settle(self, account: str, window: int, cause: str, growth_wh: int | None) -> Settled:
        state, order = self.state, self._order_of(account, window)
        settlement.settle_window(state, account, window, order, cause, growth_wh, Funds())
        state.calendars[account] = offers.get_calendar(state, account).without([window])
        return state.ledger[-1]

    def _open(self, account: str) -> list[int]:
        return sorted(offers.get_calendar(self.state, account).open)

    def _order_of(self, account: str, window: int) -> offers.Order:
        slots = (offers.get_order(self.state, account, slot) for slot in range(offers.SLOTS))
        order = next((order for order in slots if window in order.windows), None)
        if order is None:
            raise Inconsistent(f"window {window} has no order")
        return order

    def _bind(self, account: str, args: Mapping[str, Any]) -> None:
        device = words.DeviceWord.decode(args["device"])
        participants.bind(
            self.state,
            account,
            _read_device(device),
            meters.ExportRegister(**asdict(words.ExportsWord.decode(args["exports"]))),
            meters.ImportRegister(**asdict(words.ImportsWord.decode(args["imports"]))),
            args["score"],
        )
        self._keep_class(account, device)

    def _set_device(self, account: str, device: words.DeviceWord) -> None:
        participants.set_device(self.state, account, _read_device(device))
        self._keep_class(account, device)

    def _keep_class(self, account: str, device: words.DeviceWord) -> None:
        if device.encode():
            self.retail_classes[account] = device.retail_class


def _read_order(word: int) -> offers.Order:
    return offers.Order(**asdict(words.OrderWord.decode(word)))


def _read_device(word: words.DeviceWord) -> participants.Device:
    fields = asdict(word)
    return participants.Device(**{**fields, "meter": word.meter.lower()})


def _place_of(event: Event) -> str:
    return f"block {event.block_number}, log {event.log_index} ({event.transaction_hash})"
