"""Windows and time: what a market calls window 2000000, a person calls 14:00 to 14:15."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from web3 import Web3

from peerwatt.exceptions import BadAmount

_CLOCK_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
EXAMPLE = "write it like 14:00, 2026-10-14T14:00 or 2026-10-14T14:00+01:00"


def get_chain_time_s(w3: Web3) -> int:
    """Timestamp that the next block will have at the earliest, as far as the node tells [Unix s]."""
    try:
        return int(w3.eth.get_block("pending")["timestamp"])
    except Exception:
        # Many nodes serve no pending block; a chain that was moved ahead of the wall clock is past it.
        return max(int(w3.eth.get_block("latest")["timestamp"]), int(time.time()))


def parse_zone(name: str | None) -> tzinfo:
    """A time zone by its IANA name; this machine's without a name.

    Raises:
        BadAmount: no such zone.
    """
    if name is None:
        zone = datetime.now().astimezone().tzinfo
        assert zone is not None
        return zone
    try:
        return UTC if name.upper() == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadAmount(f"{name!r} is no time zone; give an IANA name such as Africa/Lagos") from None


@dataclass(frozen=True)
class MarketClock:
    """One market's windows at one moment.

    Attributes:
        window_seconds, lead_seconds: the market's parameters [s].
        now_s: the chain's time [Unix s].
        zone: of the times that people read and write.
    """

    window_seconds: int
    lead_seconds: int
    now_s: int
    zone: tzinfo

    @property
    def window(self) -> int:
        """The window that is running."""
        return self.now_s // self.window_seconds

    @property
    def gated(self) -> int:
        """The newest window whose gate has closed."""
        return (self.now_s + self.lead_seconds) // self.window_seconds

    @property
    def next_open(self) -> int:
        """The first window that still takes orders."""
        return self.gated + 1

    def start_s(self, window: int) -> int:
        """Start of a window [Unix s]."""
        return window * self.window_seconds

    def end_s(self, window: int) -> int:
        """End of a window [Unix s]."""
        return (window + 1) * self.window_seconds

    def gate_s(self, window: int) -> int:
        """The moment from which a window takes no more orders [Unix s]."""
        return self.start_s(window) - self.lead_seconds

    def local(self, time_s: int) -> datetime:
        """A moment in the zone."""
        return datetime.fromtimestamp(time_s, self.zone)

    def format_time(self, time_s: int) -> str:
        """A moment for people: with the date where it is not today."""
        moment = self.local(time_s)
        if moment.date() == self.local(self.now_s).date():
            return f"{moment:%H:%M}" if moment.second == 0 else f"{moment:%H:%M:%S}"
        return f"{moment:%Y-%m-%d %H:%M}"

    def format_window(self, window: int) -> str:
        """A window for people, such as `14:00-14:15`."""
        return self.format_span(window, window)

    def format_span(self, first: int, last: int) -> str:
        """Windows first to last for people, such as `14:00-16:00`."""
        return f"{self.format_time(self.start_s(first))}-{self.local(self.end_s(last)):%H:%M}"

    def zone_name(self) -> str:
        """The zone as people write it, with its offset now."""
        moment = self.local(self.now_s)
        offset = f"{moment:%z}"
        key = getattr(self.zone, "key", None) or moment.tzname() or "local"
        return f"{key} (UTC{offset[:3]}:{offset[3:5]})"

    def parse_time(self, text: str, *, not_before_s: int | None = None) -> int:
        """A moment as people write it.

        Args:
            text: `14:00`, the next time that clocks show it; or a date and time of ISO 8601, in the zone unless it has
                an offset.
            not_before_s: the moment from which `14:00` is the next [Unix s]; the chain's time if None.
        Returns:
            [Unix s].
        Raises:
            BadAmount: no time, or one that clocks skip that day.
        """
        base_s = self.now_s if not_before_s is None else not_before_s
        match = _CLOCK_TIME.fullmatch(text.strip())
        if match:
            day = self.local(base_s).replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
            moment = self._check_exists(day.replace(tzinfo=None), text)
            if moment.timestamp() < base_s:
                moment = self._check_exists(day.replace(tzinfo=None) + timedelta(days=1), text)
            return int(moment.timestamp())
        try:
            written = datetime.fromisoformat(text.strip())
        except ValueError:
            raise BadAmount(f"{text!r} is no time; {EXAMPLE}") from None
        if "T" not in text and " " not in text.strip():
            raise BadAmount(f"{text!r} has no time of day; {EXAMPLE}")
        moment = written if written.tzinfo else self._check_exists(written, text)
        return int(moment.timestamp())

    def _check_exists(self, naive: datetime, text: str) -> datetime:
        moment = naive.replace(tzinfo=self.zone)
        if datetime.fromtimestamp(moment.timestamp(), self.zone).replace(tzinfo=None) != naive:
            raise BadAmount(f"{text!r} does not exist on {naive:%Y-%m-%d} in {self.zone_name()}; clocks skip it")
        return moment

    def parse_window_start(self, text: str, *, not_before_s: int | None = None) -> int:
        """The window that starts at a moment.

        Args:
            not_before_s: the moment from which `14:00` is the next [Unix s]; the chain's time if None.
        Raises:
            BadAmount: no time, or between two windows; names the two nearest.
        """
        return self._to_boundary(self.parse_time(text, not_before_s=not_before_s), text)

    def parse_window_end(self, text: str, first: int) -> int:
        """The window that ends at a moment, from window `first` on.

        Raises:
            BadAmount: no time, between two windows, or not after the start of `first`.
        """
        last = self._to_boundary(self.parse_time(text, not_before_s=self.start_s(first) + 1), text) - 1
        if last < first:
            start = self.format_time(self.start_s(first))
            raise BadAmount(f"{text!r} is not after {start}, where the first window starts; give a later end")
        return last

    def _to_boundary(self, time_s: int, text: str) -> int:
        window, rest = divmod(time_s, self.window_seconds)
        if rest:
            near = [self.format_time(self.start_s(near)) for near in (window, window + 1)]
            raise BadAmount(
                f"{text!r} is inside a window of {self.window_seconds // 60} minutes; "
                f"the two nearest starts are {near[0]} and {near[1]}"
            )
        return window
