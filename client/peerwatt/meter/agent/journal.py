"""What the agent must never forget: the registers at boundaries, what it signed, and what became of it.

One SQLite file for each meter key. A boundary is written once and never changed, and reports are made of written
boundaries only, in the same transaction: a window can't be signed twice with different registers, whatever happens in
between. Every transaction is on the disk before anybody hears of it (`synchronous = FULL`).
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peerwatt.meter.readings import REGISTERS
from peerwatt.meter.submission import SignedReport
from peerwatt.signing import Domain, Report, Signature
from peerwatt.units import format_energy

VERSION = "1"
# What a report's way with the bridge can be. `SIGNED` ones wait to be sent.
SIGNED, TAKEN, REFUSED = "signed", "taken", "refused"
# Words of the bridge after which nothing more happens to a report.
SETTLED = ("final", "superseded", "refused", "quarantined", "expired", "held")
# Nothing is gained by submitting these oneself: they are on the chain, or nothing was sold in their windows.
DONE_WITH = ("confirmed", "final", "superseded", "held")
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS boundaries (
    side INTEGER NOT NULL, window INTEGER NOT NULL, register_wh INTEGER NOT NULL, seen_ms INTEGER NOT NULL,
    PRIMARY KEY (side, window)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reports (
    id INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL UNIQUE, side INTEGER NOT NULL,
    first_window INTEGER NOT NULL, registers TEXT NOT NULL, signature TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'signed', status TEXT, reason TEXT, detail TEXT
);
CREATE INDEX IF NOT EXISTS reports_by_state ON reports (state, status, id);
CREATE INDEX IF NOT EXISTS reports_by_window ON reports (side, first_window);
CREATE TABLE IF NOT EXISTS commands (
    id INTEGER PRIMARY KEY, ok INTEGER NOT NULL, detail TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0
);
"""


class JournalError(ValueError):
    """The journal is another meter's or market's, in use, or damaged."""


class RegisterFalls(ValueError):
    """A register is below an earlier one, and registers only grow."""


@dataclass(frozen=True)
class Kept:
    """A signed report in the journal.

    Attributes:
        state: SIGNED, TAKEN or REFUSED.
        status: the bridge's last word of it, None before the first.
    """

    id: int
    digest: str
    signed: SignedReport
    state: str
    status: str | None
    reason: str | None
    detail: str | None


class Journal:
    """The journal of one meter key."""

    def __init__(self, path: Path, meter: str, *, only_read: bool = False) -> None:
        """Opens or makes it.

        Args:
            only_read: beside the program that writes it.
        Raises:
            JournalError: another program writes it, it is another meter's, or no journal.
        """
        self.path, self.meter = path, meter
        self._lock: int | None = None
        if only_read and not path.exists():
            raise JournalError(f"there is no journal at {path}; nothing was signed with this meter key here")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not only_read:
            self._lock = _lock(path.with_suffix(".lock"))
            # It holds when the home takes and gives energy: for its owner only.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        try:
            self._base = sqlite3.connect(path, isolation_level=None, timeout=10)
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = FULL")
            if not only_read:
                self._base.executescript(_TABLES)
            if not only_read and self.fact("version") is None:
                with self._writing():
                    self._set("version", VERSION)
                    self._set("meter", meter)
            known = (self.fact("version"), self.fact("meter"))
        except sqlite3.DatabaseError as error:
            raise JournalError(
                f"{path} is no journal, or damaged ({error}); put it aside: the meter must not sign windows again that "
                "it signed before, so start again only after the last of them, with a copy kept"
            ) from None
        if known != (VERSION, meter):
            raise JournalError(f"{path} is of {known[1]} (version {known[0]}), not of {meter}; name another journal")

    def close(self) -> None:
        """Lets go of the file."""
        self._base.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # Facts

    def fact(self, name: str) -> str | None:
        """Something that was noted."""
        row = self._base.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def note(self, name: str, value: str) -> None:
        """Notes something."""
        with self._writing():
            self._set(name, value)

    def _set(self, name: str, value: str) -> None:
        self._base.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def market(self) -> tuple[Domain, int] | None:
        """The market whose reports are here, and the length of its windows [s]; None before it is known."""
        text = self.fact("market")
        if text is None:
            return None
        fields = json.loads(text)
        return Domain(fields["chain_id"], fields["market"]), int(fields["window_seconds"])

    def bind(self, domain: Domain, window_seconds: int) -> None:
        """Notes the market, for good.

        Raises:
            JournalError: the journal is of another market.
        """
        known = self.market()
        if known is None:
            fields = {
                "chain_id": domain.chain_id, "market": domain.verifying_contract, "window_seconds": window_seconds,
            }  # fmt: skip
            self.note("market", json.dumps(fields))
        elif known != (domain, window_seconds):
            raise JournalError(
                f"the journal {self.path} is of market {known[0].verifying_contract} on chain {known[0].chain_id} "
                f"(windows of {known[1]} s), the bridge serves {domain.verifying_contract} on chain {domain.chain_id} "
                f"({window_seconds} s); correct the bridge's url, or start another journal with --journal"
            )

    # Boundaries and reports

    def last_boundary(self, side: int) -> tuple[int, int] | None:
        """Window and register [Wh] of the newest boundary of a side."""
        row = self._base.execute(
            "SELECT window, register_wh FROM boundaries WHERE side = ? ORDER BY window DESC LIMIT 1", (side,)
        ).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

    def boundaries(self, side: int) -> dict[int, int]:
        """Registers [Wh] of a side by the window that starts there."""
        rows = self._base.execute("SELECT window, register_wh FROM boundaries WHERE side = ?", (side,))
        return {int(window): int(register_wh) for window, register_wh in rows}

    def record(
        self, side: int, window: int, register_wh: int, seen_s: float, sign: Callable[[Report], Signature]
    ) -> list[Kept]:
        """Writes the register at the start of a window, and signs the window that ends there if its start is known.

        Returns:
            The reports that are new. None if the boundary was written before: what was written then stays.
        Raises:
            RegisterFalls: below an earlier boundary; nothing was written.
        """
        with self._writing():
            if self._register_at(side, window) is not None:
                return []
            last = self.last_boundary(side)
            if last is not None and (window < last[0] or register_wh < last[1]):
                raise RegisterFalls(
                    f"the {REGISTERS[side]} register is {format_energy(register_wh)}, and was "
                    f"{format_energy(last[1])} at the start of window {last[0]}"
                )
            self._base.execute(
                "INSERT INTO boundaries VALUES (?, ?, ?, ?)", (side, window, register_wh, round(seen_s * 1000))
            )
            opening_wh = self._register_at(side, window - 1)
            if opening_wh is None:
                return []
            return self._sign(Report(self.meter, side, window - 1, (opening_wh, register_wh)), sign)

    def sign_newest(self, side: int, sign: Callable[[Report], Signature]) -> Kept | None:
        """The register of the newest boundary as a report of its own, to be sent; None if there is none."""
        last = self.last_boundary(side)
        if last is None:
            return None
        report = Report(self.meter, side, last[0], (last[1],))
        with self._writing():
            new = self._sign(report, sign)
            if new:
                return new[0]
            kept = next(kept for kept in self._reports("side = ? AND first_window = ?", (side, last[0]))
                        if kept.signed.report == report)
            self._base.execute("UPDATE reports SET state = ? WHERE id = ?", (SIGNED, kept.id))
            return kept

    def _register_at(self, side: int, window: int) -> int | None:
        row = self._base.execute(
            "SELECT register_wh FROM boundaries WHERE side = ? AND window = ?", (side, window)
        ).fetchone()
        return None if row is None else int(row[0])

    def _sign(self, report: Report, sign: Callable[[Report], Signature]) -> list[Kept]:
        known = self.market()
        if known is None:
            raise JournalError(f"the journal {self.path} knows no market yet; let the program reach its bridge once")
        digest = "0x" + report.digest(known[0]).hex()
        row = self._base.execute("SELECT 1 FROM reports WHERE digest = ?", (digest,)).fetchone()
        if row is not None:
            return []
        signature = sign(report)
        cursor = self._base.execute(
            "INSERT INTO reports (digest, side, first_window, registers, signature) VALUES (?, ?, ?, ?, ?)",
            (
                digest, report.side, report.first_window, json.dumps(list(report.registers)),
                signature.to_bytes().hex(),
            ),
        )  # fmt: skip
        assert cursor.lastrowid is not None
        return [Kept(cursor.lastrowid, digest, SignedReport(report, signature), SIGNED, None, None, None)]

    # Their way

    def waiting(self, limit: int) -> list[Kept]:
        """Reports to send, the oldest first."""
        return list(self._reports("state = ?", (SIGNED,), limit))

    def count(self, state: str) -> int:
        """How many reports are in a state."""
        return int(self._base.execute("SELECT count(*) FROM reports WHERE state = ?", (state,)).fetchone()[0])

    def unsettled(self, after: int, limit: int) -> list[Kept]:
        """Reports that the bridge took and has not done with, from an id on."""
        marks = ",".join("?" * len(SETTLED))
        where = f"state = ? AND status NOT IN ({marks}) AND id > ?"
        return list(self._reports(where, (TAKEN, *SETTLED, after), limit))

    def all_reports(self) -> list[Kept]:
        """Every report, in the sequence in which it was signed."""
        return list(self._reports("1", ()))

    def answer(
        self, answers: Sequence[tuple[int, str, str | None, str | None, str | None]]
    ) -> None:
        """Notes what the bridge said.

        Args:
            answers: id, state, status, reason and detail of each report.
        """
        with self._writing():
            self._base.executemany(
                "UPDATE reports SET state = ?2, status = ?3, reason = ?4, detail = ?5 WHERE id = ?1", answers
            )

    def send_again(self, first: int, last: int) -> int:
        """Has the reports that start in windows first to last sent once more.

        Returns:
            How many they are.
        """
        with self._writing():
            cursor = self._base.execute(
                "UPDATE reports SET state = ? WHERE first_window BETWEEN ? AND ?", (SIGNED, first, last)
            )
            return cursor.rowcount

    def _reports(self, where: str, values: Sequence[Any], limit: int = -1) -> Iterator[Kept]:
        rows = self._base.execute(
            "SELECT id, digest, side, first_window, registers, signature, state, status, reason, detail "
            f"FROM reports WHERE {where} ORDER BY id LIMIT ?",
            (*values, limit),
        ).fetchall()
        for number, digest, side, first_window, registers, signature, *rest in rows:
            report = Report(self.meter, side, first_window, tuple(json.loads(registers)))
            signed = SignedReport(report, Signature.from_hex(signature))
            yield Kept(number, digest, signed, *rest)

    # Commands

    def last_command(self) -> int:
        """Id of the newest command that was carried out; 0 before the first."""
        return int(self._base.execute("SELECT coalesce(max(id), 0) FROM commands").fetchone()[0])

    def keep_command(self, number: int, ok: bool, detail: str) -> None:
        """Notes that a command was carried out."""
        with self._writing():
            self._base.execute("INSERT OR IGNORE INTO commands (id, ok, detail) VALUES (?, ?, ?)", (number, ok, detail))

    def untold_commands(self) -> list[tuple[int, bool, str]]:
        """Commands whose outcome the bridge has not heard."""
        rows = self._base.execute("SELECT id, ok, detail FROM commands WHERE NOT told ORDER BY id")
        return [(int(number), bool(ok), str(detail)) for number, ok, detail in rows]

    def told_command(self, number: int) -> None:
        """Notes that the bridge heard of a command's outcome."""
        with self._writing():
            self._base.execute("UPDATE commands SET told = 1 WHERE id = ?", (number,))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")


def _lock(path: Path) -> int:
    """Makes sure that nobody else writes a journal, until the file is closed or the process ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise JournalError(
                f"another program writes the journal beside {path}; end it first, one of them is enough"
            ) from None
    return descriptor
