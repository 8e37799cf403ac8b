"""The market as the reference model has it, kept up with the stored events and taken back with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection

from peerwatt.market.deployment import Deployment
from peerwatt.market.events import Event
from peerwatt.market.replay import Act, Replay
from peerwatt.market.statement import Totals, add_up, settled_row
from peerwatt.market.words import FeederWord, TableWord, TariffHeadWord
from peerwatt.reference.settlement import Settled
from peerwatt.reference.tariffs import Feeder, Tables, TariffHead
from peerwatt_bridge.storage import history

# Windows whose book is kept after they were cleared.
PAST_BOOKS = 96
# Events from one mark to the next, and marks that are kept.
MARK_EVERY, MARKS = 512, 4
START = (-1, -1)


class FullReplay(Replay):
    """A replay of all accounts, with what the regulator and the operator set, and running sums.

    Attributes:
        retail: retail price of each class [base units/Wh].
        totals: of all settled windows.
        cleared_windows, traded_wh, traded_amount: of all clearings with orders; the amount at the clearing price [base
            units].
        wound_down: whether the end of the market was announced.
    """

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self.retail: dict[int, int] = {}
        self.totals = add_up([])
        self.cleared_windows = self.traded_wh = self.traded_amount = 0
        self.paused = self.wound_down = False

    def _apply(self, event: Event) -> None:
        super()._apply(event)
        state, args = self.state, event.args
        match event.name:
            case "TariffSet":
                state.tariff_head = TariffHead(**asdict(TariffHeadWord.decode(args["head"])))
                names = ("surcharges", "haircuts", "rebates")
                state.tables[args["version"]] = Tables(*(TableWord.decode(args[name]).bands for name in names))
            case "FeederSet":
                state.feeders[args["feeder"]] = Feeder(**asdict(FeederWord.decode(args["feeder_word"])))
            case "RetailSet":
                self.retail[args["retail_class"]] = args["price_per_wh"]
            case "Paused":
                self.paused = args["paused"]
            case "WindDownAnnounced":
                self.wound_down = True
            case "WindowCleared":
                result = state.results[args["window"]]
                self.cleared_windows += 1
                self.traded_wh += args["traded_wh"]
                if args["traded_wh"]:
                    self.traded_amount += args["traded_wh"] * state.parameters.price(result.level)
        if event.name in ("WindowCleared", "BookJumped"):
            for window in [old for old in state.books if old <= state.book_state.cleared - PAST_BOOKS]:
                del state.books[window]

    def _note(self, account: str, event: Event, settled: Iterable[Settled] = (), read_side: int | None = None) -> None:
        super()._note(account, event, settled, read_side)
        act: Act = self.acts[account][-1]
        if act.settled:
            more = asdict(add_up(settled_row(act, line) for line in act.settled))
            self.totals = Totals(**{name: value + more[name] for name, value in asdict(self.totals).items()})

    def snapshot(self) -> dict[str, Any]:
        """What `restore` needs, once, to undo everything that follows."""
        plain = ("totals", "cleared_windows", "traded_wh", "traded_amount", "paused", "wound_down")
        return {
            "state": self.state.snapshot(),
            "acts": {account: len(acts) for account, acts in self.acts.items()},
            "differences": len(self.differences),
            "maps": {name: dict(getattr(self, name)) for name in ("retail", "retail_classes")},
            "plain": {name: getattr(self, name) for name in plain},
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Undoes everything since the snapshot."""
        self.state.restore(saved["state"])
        self.acts = {account: self.acts[account][:count] for account, count in saved["acts"].items()}
        del self.differences[saved["differences"] :]
        for name, value in {**saved["maps"], **saved["plain"]}.items():
            setattr(self, name, value)


@dataclass(frozen=True)
class _Mark:
    """Where a replay can go back to: its last event's place and block, and what is needed."""

    place: tuple[int, int]
    block_hash: bytes
    saved: dict[str, Any]


class Model:
    """A replay of the stored events up to some block. Not thread-safe.

    Attributes:
        replay: as of the last `follow`.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._start_anew()

    def _start_anew(self) -> None:
        self.replay = FullReplay(self._deployment)
        self._place, self._hash = START, b""
        self._marks: list[_Mark] = []
        self._since_mark = 0

    def follow(self, connection: Connection, last: int) -> None:
        """Brings the replay to a block: back first, if the store no longer has what it followed."""
        if not self._stands(connection, last, self._place, self._hash):
            self._go_back(connection, last)
        for block_hash, event in history.read_events(connection, self._place, last):
            if self._since_mark >= MARK_EVERY and event.block_number > self._place[0]:
                self._mark()
            self.replay.apply(event)
            self._place, self._hash = (event.block_number, event.log_index), block_hash
            self._since_mark += 1

    @staticmethod
    def _stands(connection: Connection, last: int, place: tuple[int, int], block_hash: bytes) -> bool:
        return place == START or (place[0] <= last and history.has_block(connection, place[0], block_hash))

    def _mark(self) -> None:
        self._marks = [*self._marks[1 - MARKS :], _Mark(self._place, self._hash, self.replay.snapshot())]
        self._since_mark = 0

    def _go_back(self, connection: Connection, last: int) -> None:
        while self._marks:
            mark = self._marks.pop()
            if self._stands(connection, last, mark.place, mark.block_hash):
                self.replay.restore(mark.saved)
                self._place, self._hash = mark.place, mark.block_hash
                # What was saved is in use now.
                self._mark()
                return
        self._start_anew()
