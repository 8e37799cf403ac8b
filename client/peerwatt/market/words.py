"""The market's packed storage words (docs/contract.md), decoded and encoded.

Energy in Wh, money in base units, prices in base units per Wh, scores in 1/65536 points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..exceptions import BadWord
from ..integers import is_int
from .bitfields import Bits, PackedWord

SCORE_ONE = 65_536
FULL_SCORE = 10_000 * SCORE_ONE
BANDS = 16
BAND_SCORE = 625 * SCORE_ONE
# Kinds of a result.
NO_TRADE, ALL_CROSSING, OFFERS_RATIONED, BIDS_RATIONED = range(4)
KINDS = ("no_trade", "all_crossing", "offers_rationed", "bids_rationed")
# Connection status.
OFF, ONLY_CONSUMING, FEEDING_IN = range(3)


@dataclass(frozen=True)
class WalletWord(PackedWord):
    """Money and reputation of an account."""

    balance: Annotated[int, Bits(0, 104)]
    reserved: Annotated[int, Bits(104, 208)]
    score: Annotated[int, Bits(208, 238)]
    rated: Annotated[bool, Bits(238, 239)]

    @property
    def free(self) -> int:
        """Money that can be withdrawn [base units]."""
        return self.balance - self.reserved

    @property
    def band(self) -> int:
        """Reputation band, 0 lowest to 15."""
        return min(self.score // BAND_SCORE, BANDS - 1)


@dataclass(frozen=True)
class CalendarWord(PackedWord):
    """Windows of an account that are still to settle: bit i of `open_windows` is window settled + 1 + i."""

    open_windows: Annotated[int, Bits(0, 224)]
    settled: Annotated[int, Bits(224, 256)]

    def is_open(self, window: int) -> bool:
        """Whether an order covers the window and it is not settled."""
        return window > self.settled and bool(self.open_windows >> (window - self.settled - 1) & 1)

    @property
    def next_open(self) -> int | None:
        """First window to settle, None if there is none."""
        if not self.open_windows:
            return None
        return self.settled + (self.open_windows & -self.open_windows).bit_length()


@dataclass(frozen=True)
class DeviceWord(PackedWord):
    """The meter bound to an account, and the terms of its connection. All zero: not enrolled."""

    meter: Annotated[str, Bits(0, 160)]
    import_limit_wh: Annotated[int, Bits(160, 184)]
    export_limit_wh: Annotated[int, Bits(184, 208)]
    feeder: Annotated[int, Bits(208, 224)]
    status: Annotated[int, Bits(224, 226)]
    meter_class: Annotated[int, Bits(226, 232)]
    retail_class: Annotated[int, Bits(232, 240)]


@dataclass(frozen=True)
class ExportsWord(PackedWord):
    """The export register, read at the start of `window`."""

    meter: Annotated[str, Bits(0, 160)]
    register_wh: Annotated[int, Bits(160, 208)]
    window: Annotated[int, Bits(208, 240)]
    revoked: Annotated[bool, Bits(240, 241)]


@dataclass(frozen=True)
class ImportsWord(PackedWord):
    """The import register, read at the start of `window`."""

    register_wh: Annotated[int, Bits(0, 48)]
    window: Annotated[int, Bits(48, 80)]
    revoked_window: Annotated[int, Bits(80, 112)]


@dataclass(frozen=True)
class OrderWord(PackedWord):
    """The order of one slot, with what its acceptance fixed."""

    nonce: Annotated[int, Bits(0, 32)]
    burnt: Annotated[int, Bits(32, 64)]
    first: Annotated[int, Bits(64, 96)]
    count: Annotated[int, Bits(96, 104)]
    energy_wh: Annotated[int, Bits(104, 128)]
    limit_level: Annotated[int, Bits(128, 136)]
    effective_level: Annotated[int, Bits(136, 144)]
    side: Annotated[int, Bits(144, 145)]
    rated: Annotated[bool, Bits(145, 146)]
    single: Annotated[bool, Bits(146, 147)]
    adjustment_bps: Annotated[int, Bits(147, 161)]
    imbalance_steps: Annotated[int, Bits(161, 177)]
    version: Annotated[int, Bits(177, 192)]
    fee_per_wh: Annotated[int, Bits(192, 256)]

    def covers(self, window: int) -> bool:
        """Whether the window is one of the order's."""
        return self.first <= window < self.first + self.count


@dataclass(frozen=True)
class AgentWord(PackedWord):
    """What an agent key may do until `expiry` [Unix s]."""

    expiry: Annotated[int, Bits(0, 64)]
    max_buy_level: Annotated[int, Bits(64, 72)]
    min_sell_level: Annotated[int, Bits(72, 80)]
    max_reserve: Annotated[int, Bits(80, 208)]


@dataclass(frozen=True)
class BookStateWord(PackedWord):
    """The newest cleared window, and the Wh x windows accepted and not yet cleared."""

    cleared: Annotated[int, Bits(0, 32)]
    open_wh: Annotated[int, Bits(32, 96)]
    closed: Annotated[bool, Bits(96, 97)]
    paused: Annotated[bool, Bits(97, 98)]


@dataclass(frozen=True)
class EntryWord(PackedWord):
    """What enters and leaves the book at one level with one window [Wh].

    The `only_` fields are orders of this one window; `tag` is window // 256, another one reads as nothing.
    """

    net_bid: Annotated[int, Bits(0, 56, bias=2**55)]
    net_offer: Annotated[int, Bits(56, 112, bias=2**55)]
    only_bid: Annotated[int, Bits(112, 160)]
    only_offer: Annotated[int, Bits(160, 208)]
    tag: Annotated[int, Bits(208, 232)]

    @classmethod
    def decode_at(cls, word: int, window: int) -> EntryWord:
        """The entry of a window: nothing if the word is of an older or later one, or was never written."""
        tag = window >> 8
        entry = cls.decode(word)
        return entry if word and entry.tag == tag else cls(0, 0, 0, 0, tag)


@dataclass(frozen=True)
class LivePairWord(PackedWord):
    """Live totals of an even level and the odd one above it [Wh]."""

    even_bid: Annotated[int, Bits(0, 48)]
    even_offer: Annotated[int, Bits(48, 96)]
    odd_bid: Annotated[int, Bits(96, 144)]
    odd_offer: Annotated[int, Bits(144, 192)]

    def at(self, level: int) -> tuple[int, int]:
        """Bids and offers at one of the two levels."""
        return (self.odd_bid, self.odd_offer) if level & 1 else (self.even_bid, self.even_offer)


@dataclass(frozen=True)
class ResultWord(PackedWord):
    """The clearing of a window, and what of it is left to settle. A zero word: no order, or not cleared.

    `num / den` is the share of the rationed orders, `net_wh` what was bought less what was sold so far.
    """

    level: Annotated[int, Bits(0, 8)]
    kind: Annotated[int, Bits(8, 10)]
    num: Annotated[int, Bits(10, 58)]
    den: Annotated[int, Bits(58, 106)]
    delay_seconds: Annotated[int, Bits(106, 138)]
    left_wh: Annotated[int, Bits(138, 186)]
    net_wh: Annotated[int, Bits(186, 236, bias=2**49)]

    @property
    def exists(self) -> bool:
        """Whether the window has a result; if not, the other fields say nothing."""
        return self.encode() != 0


@dataclass(frozen=True)
class TariffHeadWord(PackedWord):
    """The tariff in force, and the next one from window `next_from` (0: none is published)."""

    version: Annotated[int, Bits(0, 16)]
    imbalance_steps: Annotated[int, Bits(16, 32)]
    next_version: Annotated[int, Bits(32, 48)]
    next_imbalance_steps: Annotated[int, Bits(48, 64)]
    next_from: Annotated[int, Bits(64, 96)]

    def at(self, window: int) -> tuple[int, int]:
        """Version and imbalance steps in force at a window."""
        if self.next_from and self.next_from <= window:
            return self.next_version, self.next_imbalance_steps
        return self.version, self.imbalance_steps


@dataclass(frozen=True)
class TableWord:
    """Sixteen bands of a tariff table [bps], the lowest score first."""

    bands: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "bands", tuple(_Band(bps).bps for bps in self.bands))
        if len(self.bands) != BANDS:
            raise BadWord(f"a table has {BANDS} bands, this has {len(self.bands)}; give one for each band")

    @classmethod
    def decode(cls, word: int) -> TableWord:
        """The bands of a word.

        Raises:
            BadWord: not a word.
        """
        if not is_int(word) or not 0 <= word < 1 << 256:
            raise BadWord(f"{word!r} is not a word; give an int of 256 bits")
        return cls(tuple(word >> (16 * band) & 0xFFFF for band in range(BANDS)))

    def encode(self) -> int:
        """The word of these bands."""
        return sum(bps << (16 * band) for band, bps in enumerate(self.bands))

    def at(self, score: int) -> int:
        """Entry for a score [1/65536 points]."""
        return self.bands[min(score // BAND_SCORE, BANDS - 1)]


@dataclass(frozen=True)
class _Band(PackedWord):
    bps: Annotated[int, Bits(0, 16)]


@dataclass(frozen=True)
class FeederWord(PackedWord):
    """Network fee of a feeder, and its scales of the connections' limits [bps]."""

    fee_per_wh: Annotated[int, Bits(0, 64)]
    import_scale_bps: Annotated[int, Bits(64, 80)]
    export_scale_bps: Annotated[int, Bits(80, 96)]


@dataclass(frozen=True)
class SettledReportWord(PackedWord):
    """What `ReportSettled` says of its report: `n` windows from `first`, and how many orders it settled."""

    first: Annotated[int, Bits(0, 32)]
    n: Annotated[int, Bits(32, 40)]
    side: Annotated[int, Bits(40, 48)]
    closing_wh: Annotated[int, Bits(48, 96)]
    settled: Annotated[int, Bits(96, 104)]


@dataclass(frozen=True)
class SettledDueWord(PackedWord):
    """What `DueSettled` says: first and last window settled, and how many."""

    first: Annotated[int, Bits(0, 32)]
    last: Annotated[int, Bits(32, 64)]
    count: Annotated[int, Bits(64, 72)]
