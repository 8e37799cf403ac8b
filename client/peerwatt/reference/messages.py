"""What participants and meters sign, and the items of a relay that carry it.

The model recovers no signatures: each item names its `signer`, the address that the signature recovers to.
That may be a stranger's, or the zero address of a signature that recovers to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from .values import ZERO_ADDRESS, address, uint

MAX_WORDS = 1024


def _set_addresses(record: object, *names: str) -> None:
    for name in names:
        object.__setattr__(record, name, address(getattr(record, name)))


def _check_uints(record: object, **bits: int) -> None:
    for name, width in bits.items():
        uint(getattr(record, name), width, name)


@dataclass(frozen=True)
class OrderMessage:
    """So much energy in each window first..last, at the limit or better. Side 0 buys, 1 sells.

    Order(address maker,address meter,uint8 side,uint32 firstWindow,uint32 lastWindow,uint32 energyWh,
    uint8 limitLevel,uint32 nonce)
    """

    maker: str
    meter: str
    side: int
    first_window: int
    last_window: int
    energy_wh: int
    limit_level: int
    nonce: int

    def __post_init__(self) -> None:
        _set_addresses(self, "maker", "meter")
        _check_uints(self, side=8, first_window=32, last_window=32, energy_wh=32, limit_level=8, nonce=32)


@dataclass(frozen=True)
class CancelMessage:
    """Cancel(address maker,uint32 nonce,uint32 fromWindow,uint64 deadline)."""

    maker: str
    nonce: int
    from_window: int
    deadline: int

    def __post_init__(self) -> None:
        _set_addresses(self, "maker")
        _check_uints(self, nonce=32, from_window=32, deadline=64)


@dataclass(frozen=True)
class ReportMessage:
    """Report(address meter,uint8 side,uint32 firstWindow,uint64[] registers), as the relay packs it.

    The register [Wh] at the start of the first window, and its growth in each window from there. Side 1 reads
    the export register, 0 the import register. The meter is the one bound to the account of the item.
    """

    side: int
    first_window: int
    opening_wh: int
    growths: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _check_uints(self, side=8, first_window=32, opening_wh=64)
        object.__setattr__(self, "growths", tuple(self.growths))
        uint(len(self.growths), 8, "number of growths")
        for growth in self.growths:
            uint(growth, 32, "growth")

    @property
    def registers(self) -> list[int]:
        """The register at the start of the first window and at each window's end [Wh]."""
        return list(accumulate(self.growths, initial=self.opening_wh))


@dataclass(frozen=True)
class Enrolment:
    """Enrolment(address account,address meter,uint64 importedWh,uint64 exportedWh,uint64 deadline)."""

    account: str
    meter: str
    imported_wh: int
    exported_wh: int
    deadline: int

    def __post_init__(self) -> None:
        _set_addresses(self, "account", "meter")
        _check_uints(self, imported_wh=64, exported_wh=64, deadline=64)


@dataclass(frozen=True)
class MeterSwap:
    """MeterSwap(address account,address oldMeter,address newMeter,uint64 importedWh,uint64 exportedWh,
    uint64 deadline)."""

    account: str
    old_meter: str
    new_meter: str
    imported_wh: int
    exported_wh: int
    deadline: int

    def __post_init__(self) -> None:
        _set_addresses(self, "account", "old_meter", "new_meter")
        _check_uints(self, imported_wh=64, exported_wh=64, deadline=64)


@dataclass(frozen=True)
class OrderItem:
    """A relayed order. `agent` is zero when the account itself signed."""

    order: OrderMessage
    signer: str
    agent: str = ZERO_ADDRESS

    def __post_init__(self) -> None:
        _set_addresses(self, "signer", "agent")
        # A word of the relay has 24 bits for the energy; only a direct call can name more.
        uint(self.order.energy_wh, 24, "energy_wh")

    @property
    def account(self) -> str:
        return self.order.maker

    @property
    def words(self) -> int:
        return 4


@dataclass(frozen=True)
class CancelItem:
    """A relayed cancel. `agent` is zero when the account itself signed."""

    cancel: CancelMessage
    signer: str
    agent: str = ZERO_ADDRESS

    def __post_init__(self) -> None:
        _set_addresses(self, "signer", "agent")

    @property
    def account(self) -> str:
        return self.cancel.maker

    @property
    def words(self) -> int:
        return 4


@dataclass(frozen=True)
class ReportItem:
    """A relayed report of an account's meter; `hints` as `pack_hints` makes them."""

    account: str
    report: ReportMessage
    hints: int
    signer: str

    def __post_init__(self) -> None:
        _set_addresses(self, "account", "signer")
        _check_uints(self, hints=64)

    @property
    def words(self) -> int:
        return 4 + (len(self.report.growths) + 7) // 8


@dataclass(frozen=True)
class DueItem:
    """Settles what needs no report: anyone may ask for it."""

    account: str
    hints: int
    max_windows: int

    def __post_init__(self) -> None:
        _set_addresses(self, "account")
        _check_uints(self, hints=64, max_windows=8)

    @property
    def words(self) -> int:
        return 1


Item = OrderItem | CancelItem | ReportItem | DueItem


def pack_hints(slots: Sequence[int]) -> int:
    """Hints as the relay carries them: 16 nibbles, lowest first.

    Raises:
        ValueError: more than 16 slots, or one above 15.
    """
    if len(slots) > 16:
        raise ValueError(f"{len(slots)} slots, an account has 16")
    return sum(uint(slot, 4, "slot") << (4 * place) for place, slot in enumerate(slots))
