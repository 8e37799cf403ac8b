"""What the bridge asks of the meter: whether it is there, its register now, reports once more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from peerwatt.meter.agent.bridge import BridgeAway, BridgeClient, BridgeRefuses, Command
from peerwatt.meter.agent.journal import Journal
from peerwatt.meter.agent.pace import Pace
from peerwatt.meter.agent.says import Says


class Downlink:
    """Carries commands out, each once, and says what became of them."""

    def __init__(
        self,
        journal: Journal,
        bridge: BridgeClient,
        says: Says,
        pace: Pace,
        read_now: Callable[[], tuple[bool, str]],
        wake: Callable[[], None],
    ) -> None:
        """
        Args:
            read_now: signs the newest registers; whether it did, and what it did in words.
            wake: has the reports sent.
        """
        self.journal, self.bridge = journal, bridge
        self._says, self._pace = says, pace
        self._read_now, self._wake = read_now, wake

    async def obey(self) -> None:
        """Asks for commands until it is cancelled."""
        backoff, refused = self._pace.backoff(), 0
        while True:
            try:
                for command in await self.bridge.commands(self.journal.last_command(), self._pace.poll_s):
                    ok, detail = self._do(command)
                    self.journal.keep_command(command.id, ok, detail)
                await self._tell_outcomes()
                backoff.reset()
                refused = 0
                self._says.end("commands", "the bridge's commands reach this meter again")
            except BridgeAway as away:
                self._says.begin("commands", f"the bridge: {away}; trying again until it is back")
                await asyncio.sleep(backoff.next_s(away.retry_after_s))
            except BridgeRefuses as refusal:
                refused += 1
                # The first may be a question that an earlier run asked in this very second.
                if refused > 1:
                    text = f"the bridge has no commands for this meter ({refusal.status}: {refusal})"
                    self._says.begin("commands", text)
                await asyncio.sleep(backoff.next_s())

    async def tell(self) -> None:
        """What an earlier run did and could not say any more."""
        try:
            await self._tell_outcomes()
        except (BridgeAway, BridgeRefuses):
            # They are told after the next commands.
            return

    async def _tell_outcomes(self) -> None:
        for number, ok, detail in self.journal.untold_commands():
            try:
                await self.bridge.acknowledge(number, ok, detail)
            except BridgeRefuses as refusal:
                # Said again it would be refused again, and hold up the others.
                if refusal.status not in (400, 404, 409, 422):
                    raise
            self.journal.told_command(number)

    def _do(self, command: Command) -> tuple[bool, str]:
        if command.kind == "ping":
            return True, "here"
        if command.kind == "read":
            return self._read_now()
        if command.kind == "resend":
            if command.first_window is None or command.last_window is None:
                return False, "resend needs first_window and last_window"
            count = self.journal.send_again(command.first_window, command.last_window)
            self._wake()
            return count > 0, f"{count} report(s) of windows {command.first_window} to {command.last_window} sent again"
        return False, f"unknown kind {command.kind!r}; this meter knows ping, read and resend"
