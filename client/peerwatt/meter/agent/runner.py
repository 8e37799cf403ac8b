"""The agent at work: listens, writes registers down at the boundaries, signs, sends, answers commands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, tzinfo
from typing import Any

from peerwatt.meter.agent.boundaries import KEPT_WINDOWS
from peerwatt.meter.agent.bridge import BridgeAway, BridgeClient, BridgeRefuses, MarketFacts
from peerwatt.meter.agent.clock import AgentClock
from peerwatt.meter.agent.downlink import Downlink
from peerwatt.meter.agent.journal import SIGNED, Journal, JournalError, RegisterFalls
from peerwatt.meter.agent.mapping import Mapping
from peerwatt.meter.agent.pace import Pace, wait
from peerwatt.meter.agent.says import Says
from peerwatt.meter.agent.sources import listen
from peerwatt.meter.agent.uplink import Uplink
from peerwatt.meter.agent.watch import CounterFell, NoRegister, RegisterWatch, Watch
from peerwatt.signing import Report, Signature
from peerwatt.units import format_energy

STOPPED = "stopped"
HOUR_S = 3600


class Agent:
    """One meter key at one home."""

    def __init__(
        self,
        mapping: Mapping,
        journal: Journal,
        bridge: BridgeClient,
        sign: Callable[[Report], Signature],
        says: Says,
        zone: tzinfo,
        pace: Pace | None = None,
        clock: AgentClock | None = None,
    ) -> None:
        """
        Args:
            bridge: entered already.
            sign: signs a report with the meter's key, for the journal's market.
            zone: of the times in the lines.
        """
        self.mapping, self.journal, self.bridge = mapping, journal, bridge
        self._sign, self._says, self._zone = sign, says, zone
        self._pace = pace or Pace()
        self._clock = clock or AgentClock(mapping.max_clock_off_s)
        self._watch: Watch | None = None
        self._window_s = 0
        self._uplink = Uplink(journal, bridge, says, self._pace, self._time)
        self._downlink = Downlink(journal, bridge, says, self._pace, self._read_now, self._uplink.wake)
        self._look_at_market = asyncio.Event()

    async def run(self) -> None:
        """Works until it is cancelled.

        Raises:
            JournalError: the bridge serves another market than the journal's.
            MappingError, MissingExtra: the source can't be used at all.
        """
        await self._meet_market()
        tasks: list[Coroutine[Any, Any, None]] = [
            self._follow_market(), self._uplink.send(), self._uplink.follow_status(),
            self._downlink.obey(), self._downlink.tell(),
        ]  # fmt: skip
        if self.journal.fact(STOPPED) is None:
            tasks += [listen(self.mapping, self._take, self._says), self._keep_time()]
        else:
            self._says.say(self._stopped_text())
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(task)

    # The market and its clock

    async def _meet_market(self) -> None:
        """Finds out which market it is: from the bridge, or from the journal while the bridge is away."""
        backoff = self._pace.backoff()
        while True:
            try:
                self._take_market(*await self._ask_market())
                break
            except (BridgeAway, BridgeRefuses) as error:
                self._says.begin("market", f"the bridge: {error}; trying again until it is back")
                if self.journal.market() is not None:
                    break
                self._says.begin("no market", "without the bridge nothing says which market this is; waiting for it")
                await asyncio.sleep(backoff.next_s(getattr(error, "retry_after_s", None)))
        known = self.journal.market()
        assert known is not None
        self._window_s = known[1]
        limit_w = int(self.mapping.limit_kw * 1000)
        self._watch = Watch(self.mapping.registers, self._window_s, self._says, self._pace.fall_s, limit_w)
        for side, register in self._watch.registers.items():
            last = self.journal.last_boundary(side)
            register.floor_wh = 0 if last is None else last[1]
        self._says.say(
            f"meter {self.journal.meter} for market {known[0].verifying_contract} on chain {known[0].chain_id}, "
            f"windows of {self._window_s} s; {self.journal.count(SIGNED)} report(s) wait to be sent"
        )

    async def _ask_market(self) -> tuple[MarketFacts, float, float]:
        asked_s = self._clock.now_s()
        facts = await self.bridge.market()
        return facts, asked_s, self._clock.now_s()

    def _take_market(self, facts: MarketFacts, asked_s: float, answered_s: float) -> None:
        self.journal.bind(facts.domain, facts.window_seconds)
        self._says.end("market", "the bridge is back")
        self._says.end("no market", "the bridge said which market it is")
        self._clock.compare(facts.now_s, asked_s, answered_s)
        offset_s = self._clock.offset_s
        if self._clock.is_off and offset_s is not None:
            side = "ahead of" if offset_s > 0 else "behind"
            self._says.begin(
                "clock",
                f"this clock is {abs(offset_s):.0f} s {side} the market's, and may be {self.mapping.max_clock_off_s} s "
                "(clock_off_s); nothing is signed until it is set, have it follow a time server",
            )
            if self._watch is not None:
                self._watch.forget()
        else:
            self._says.end("clock", "this clock agrees with the market's again")

    async def _follow_market(self) -> None:
        backoff = self._pace.backoff()
        while True:
            wait_s = self._pace.market_every_s
            try:
                self._take_market(*await self._ask_market())
                backoff.reset()
            except (BridgeAway, BridgeRefuses) as error:
                self._says.begin("market", f"the bridge: {error}; trying again until it is back")
                wait_s = backoff.next_s(getattr(error, "retry_after_s", None))
            except JournalError as error:
                # Registers are still written down; a report sent there would be nobody's.
                self._says.begin("market", str(error))
            await wait(self._look_at_market, wait_s)

    # Registers

    def _take(self, address: str, payload: bytes, retained: bool) -> None:
        watch = self._watch
        if watch is None or not self._can_sign() or self.journal.fact(STOPPED) is not None:
            return
        self._notice_step()
        try:
            watch.take(address, payload, self._clock.now_s(), retained=retained)
        except CounterFell as fall:
            self._stop(str(fall))

    def _notice_step(self) -> None:
        step_s = self._clock.take_step()
        if step_s is not None and self._watch is not None:
            self._says.say(f"this clock was set by {step_s:+.0f} s; what was seen before that no longer counts")
            self._watch.forget()
            self._look_at_market.set()

    async def _keep_time(self) -> None:
        """Writes registers down soon after each boundary."""
        late_s = max((register.max_late_s for register in self.mapping.registers), default=0)
        behind_s = late_s + self._pace.settle_s
        window = self._boundary(behind_s) + 1
        while True:
            due_s = window * self._window_s + behind_s
            wait_s = due_s - self._clock.now_s()
            if wait_s > 0:
                # Short sleeps: the clock may be set meanwhile.
                await asyncio.sleep(min(wait_s, self._pace.look_s))
                self._notice_step()
                # Set back, it waits for a nearer boundary; those that are written already stay.
                window = min(window, self._boundary(behind_s) + 1)
                continue
            newest = self._boundary(behind_s)
            # A computer that slept missed the others.
            for at in range(max(window, newest - KEPT_WINDOWS + 1), newest + 1):
                self._write_down(at)
            window = newest + 1

    def _can_sign(self) -> bool:
        """Whether this clock is right, as far as anybody can tell."""
        if self._clock.is_unknown:
            self._says.begin(
                "unknown",
                "this clock was not compared with the market's since it was set, and no time server steers it; "
                "nothing is signed until the bridge answers, or have it follow a time server",
            )
            return False
        self._says.end("unknown", "somebody answers for this clock now")
        return not self._clock.is_off

    def _boundary(self, behind_s: float) -> int:
        """The newest window whose start can be looked up."""
        return int((self._clock.now_s() - behind_s) // self._window_s)

    def _write_down(self, window: int) -> None:
        if not self._can_sign() or self._watch is None or self.journal.fact(STOPPED) is not None:
            return
        for side, register in self._watch.registers.items():
            last = self.journal.last_boundary(side)
            if last is not None and window <= last[0]:
                if window < last[0]:
                    self._says.begin(
                        "past",
                        f"it is {self._time(window)} by this clock, and registers are written up to "
                        f"{self._time(last[0])}; nothing is signed before that, check the clock",
                    )
                continue
            self._says.end("past", "this clock is past the newest register again")
            self._write_register(side, register, window, last)

    def _write_register(
        self, side: int, register: RegisterWatch, window: int, last: tuple[int, int] | None
    ) -> None:
        try:
            register_wh, seen_s = register.at(window)
            self._check_growth(register, window, register_wh, last)
        except NoRegister as missing:
            self._says.begin(
                ("gap", side),
                f"no {register.name} register at {self._time(window)}: {missing}; the windows beside it can't be "
                "reported, and no value is made up",
            )
            return
        try:
            new = self.journal.record(side, window, register_wh, seen_s, self._sign)
        except RegisterFalls as fall:
            self._stop(str(fall))
            return
        register.floor_wh = register_wh
        text = f"the {register.name} register is {format_energy(register_wh)} at {self._time(window)}"
        if last is None:
            self._says.say(f"{text}; the first window that can be signed starts then")
        elif window - last[0] > 1:
            self._says.say(f"{text}; there is none between {self._time(last[0])} and then")
        self._says.end(("gap", side), f"the {register.name} register is there again")
        if new:
            self._uplink.wake()

    def _check_growth(
        self, register: RegisterWatch, window: int, register_wh: int, last: tuple[int, int] | None
    ) -> None:
        if last is None:
            return
        most_wh = self.mapping.limit_kw * 1000 * (window - last[0]) * self._window_s // HOUR_S + 1
        if register_wh - last[1] > most_wh:
            raise NoRegister(
                f"it grew by {format_energy(register_wh - last[1])} since {self._time(last[0])}, more than "
                f"{self.mapping.limit_kw} kW can (power_kw): check the unit"
            )

    def _stop(self, fall: str) -> None:
        if self.journal.fact(STOPPED) is None:
            self.journal.note(STOPPED, fall)
            self._says.say(self._stopped_text())

    def _stopped_text(self) -> str:
        return (
            f"{self.journal.fact(STOPPED)}: a register only grows, so the meter was reset or replaced. Nothing more is "
            "signed with this key; make a new one (peerwatt meter new) and have the operator swap the meter"
        )

    def _time(self, window: int) -> str:
        moment = datetime.fromtimestamp(window * self._window_s, self._zone)
        return f"{moment:%Y-%m-%d %H:%M:%S}" if moment.second else f"{moment:%Y-%m-%d %H:%M}"

    def _read_now(self) -> tuple[bool, str]:
        if self.journal.fact(STOPPED) is not None:
            return False, str(self.journal.fact(STOPPED))
        if not self._can_sign():
            offset_s = self._clock.offset_s
            known = "unknown, nobody answers for it" if offset_s is None else f"{offset_s:.0f} s"
            return False, f"the meter's clock is off by {known}"
        kept = [self.journal.sign_newest(register.side, self._sign) for register in self.mapping.registers]
        self._uplink.wake()
        newest = [one.signed.report for one in kept if one is not None]
        if not newest:
            return False, "no register was seen at a boundary yet"
        said = [f"side {report.side}: {report.registers[0]} Wh at window {report.first_window}" for report in newest]
        return True, "; ".join(said)
