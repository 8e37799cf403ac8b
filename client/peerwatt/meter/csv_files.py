"""Registers in CSV files, as meters and their readers write them: OBIS 1.8.0 (imports) and 2.8.0 (exports).

Nothing is interpolated. A register counts for a boundary between two windows if it was read there, or so many seconds
away as the caller allows; the nearest one then.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from peerwatt.exceptions import BadAmount
from peerwatt.market.clock import MarketClock
from peerwatt.meter.readings import REGISTERS, Reading
from peerwatt.signing import BUY, SELL
from peerwatt.units import format_energy, parse_energy

MAX_BYTES = 50_000_000
DELIMITERS = ",;\t"
TIMES = {"time", "timestamp", "datetime", "date_time", "date time", "zeit", "zeitstempel"}
# 1.8.0, 1-0:1.8.0*255, each with or without a unit behind it. 1.8.1 and the like are tariff registers, not totals.
_OBIS = re.compile(r"(?:\d+-\d+:)?([12])\.8\.0(?:\*\d+)?(?:[\s_([]*(k?wh)[)\]]?)?", re.IGNORECASE)
_NAMED = re.compile(r"(import|export)(?:[\s_([]*(k?wh)[)\]]?)?", re.IGNORECASE)
_UNIX = re.compile(r"\d{9,11}")


class RegisterFileError(ValueError):
    """A file of registers cannot be read; the message names the line."""


@dataclass
class RegisterFile:
    """What a file has.

    Attributes:
        readings: by side, in the sequence of time; only those at boundaries between windows.
        passed_over: rows between two boundaries.
        ignored: columns that are neither a time nor a total register.
    """

    readings: dict[int, list[Reading]] = field(default_factory=dict)
    passed_over: int = 0
    ignored: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Columns:
    time: int
    is_window: bool
    registers: dict[int, tuple[int, str]]
    unit: int | None


def read_registers(path: Path, clock: MarketClock, *, within_s: int = 0) -> RegisterFile:
    """Reads a file.

    Args:
        clock: for windows, and for the zone of times that have none.
        within_s: how far from a boundary a register may have been read to count for it [s].
    Raises:
        RegisterFileError: no CSV, no such columns, or a line that makes no sense.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RegisterFileError(f"{path} is larger than {MAX_BYTES} bytes; split it")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RegisterFileError(f"{path} cannot be read ({error.strerror}); name another file") from None
    except UnicodeDecodeError:
        raise RegisterFileError(f"{path} is not text in UTF-8; export it again as CSV") from None
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    rows = csv.reader(text.splitlines(), delimiter=delimiter, strict=True)
    found = RegisterFile()
    try:
        columns = _read_header(next(rows, []), path, found)
        _collect(_Rows(path, rows, columns, clock, delimiter), found, within_s)
    except csv.Error as error:
        raise RegisterFileError(f"{path}, line {rows.line_num}: no CSV ({error}); export it again") from None
    if not any(found.readings.values()):
        raise RegisterFileError(
            f"{path} has no register at a boundary between two windows (every {clock.window_seconds // 60} minutes), "
            f"only {found.passed_over} in between; give --within SECONDS if the meter's clock is a little off"
        )
    return found


def _read_header(header: list[str], path: Path, found: RegisterFile) -> _Columns:
    time, is_window, unit = None, False, None
    registers: dict[int, tuple[int, str]] = {}
    for index, cell in enumerate(header):
        name = cell.strip()
        total = _OBIS.fullmatch(name) or _NAMED.fullmatch(name)
        if total:
            side = BUY if total[1].lower() in ("1", "import") else SELL
            if side in registers:
                raise RegisterFileError(f"{path} has two columns of the {REGISTERS[side]} register; keep one")
            registers[side] = (index, total[2] or "")
        elif name.lower() in TIMES | {"window"}:
            if time is not None:
                raise RegisterFileError(f"{path} has two columns of time ({header[time]!r}, {cell!r}); keep one")
            time, is_window = index, name.lower() == "window"
        elif name.lower() in ("unit", "einheit"):
            unit = index
        else:
            found.ignored.append(name)
    if time is None:
        raise RegisterFileError(f"{path} has no column named time or window (it has {header}); name one so")
    if not registers:
        raise RegisterFileError(
            f"{path} has no column of a total register (it has {header}); name it 2.8.0 for exports, 1.8.0 for imports"
        )
    return _Columns(time, is_window, registers, unit)


@dataclass
class _Rows:
    """The lines of a file as times and registers, checked one by one."""

    path: Path
    rows: Iterator[list[str]]
    columns: _Columns
    clock: MarketClock
    delimiter: str

    def error(self, line: int, text: str) -> RegisterFileError:
        return RegisterFileError(f"{self.path}, line {line}: {text}")

    def walk(self) -> Iterator[tuple[int, int, dict[int, int]]]:
        """Line, time [Unix s] and registers [Wh] by side, in the sequence of time."""
        before_s, before_line = -1, 0
        registers_before: dict[int, int] = {}
        last: dict[int, tuple[int, int]] = {}
        for line, row in enumerate(self.rows, start=2):
            if not any(cell.strip() for cell in row):
                continue
            if len(row) <= max(self.columns.time, *(index for index, _ in self.columns.registers.values())):
                raise self.error(line, f"{len(row)} columns are too few; complete it or take it out")
            time_s = self._time(row[self.columns.time].strip(), before_s, line)
            registers = dict(self._registers(row, line))
            if time_s < before_s:
                raise self.error(line, f"it is earlier than line {before_line}; sort the file by time")
            if time_s == before_s:
                if registers != registers_before:
                    raise self.error(line, f"it has the time of line {before_line} and other registers; keep one")
                continue
            for side, register_wh in registers.items():
                if side in last and register_wh < last[side][1]:
                    raise self.error(
                        line,
                        f"the {REGISTERS[side]} register {format_energy(register_wh)} is below "
                        f"{format_energy(last[side][1])} of line {last[side][0]}, and registers only grow; mend the "
                        "file, or have the meter checked",
                    )
                last[side] = (line, register_wh)
            before_s, before_line, registers_before = time_s, line, registers
            yield line, time_s, registers

    def _time(self, text: str, before_s: int, line: int) -> int:
        if self.columns.is_window:
            if not text.isdecimal() or int(text) >= 2**32:
                raise self.error(line, f"{text!r} is no number of a window; write its digits")
            return self.clock.end_s(int(text))
        if _UNIX.fullmatch(text):
            return int(text)
        try:
            # The message about a time without its day would name today's.
            if len(text) < len("2026-10-14T14"):
                raise BadAmount(f"{text!r} is no day and time")
            time_s = self.clock.parse_time(text)
        except BadAmount as error:
            reason = str(error).partition(";")[0]
            raise self.error(line, f"{reason}; write it like 2026-10-14T14:00 or 2026-10-14T14:00+01:00") from None
        if time_s < before_s:
            # The hour that clocks show twice: the second one, if only that comes after the line before.
            written = datetime.fromisoformat(text)
            second = written.replace(tzinfo=self.clock.zone, fold=1)
            if written.tzinfo is None and second.timestamp() > before_s:
                return int(second.timestamp())
        return time_s

    def _registers(self, row: list[str], line: int) -> Iterator[tuple[int, int]]:
        for side, (index, unit) in self.columns.registers.items():
            cell = row[index].strip()
            if not cell:
                continue
            if self.columns.unit is not None and self.columns.unit < len(row):
                unit = unit or row[self.columns.unit].strip()
            if self.delimiter != "," and "." not in cell:
                cell = cell.replace(",", ".")
            # IEC 62056-21 writes 1234.567*kWh.
            cell = cell.replace("*", " ")
            try:
                yield side, parse_energy(cell if cell[-1].isalpha() else f"{cell} {unit}")
            except BadAmount as error:
                raise self.error(line, f"{error}{'' if unit else ' (or name it in the header: 2.8.0 kWh)'}") from None


def _collect(rows: _Rows, found: RegisterFile, within_s: int) -> None:
    window_s = rows.clock.window_seconds
    nearest: dict[tuple[int, int], tuple[int, Reading]] = {}
    for line, time_s, registers in rows.walk():
        window = (time_s + window_s // 2) // window_s
        off_s = abs(time_s - window * window_s)
        if off_s > within_s:
            found.passed_over += 1
            continue
        for side, register_wh in registers.items():
            known = nearest.get((side, window))
            if known is None or off_s < known[0]:
                nearest[side, window] = (off_s, Reading(window, register_wh, f"line {line}"))
    for (side, _), (_, reading) in nearest.items():
        found.readings.setdefault(side, []).append(reading)
