"""Homes that want to join: consent files with their connections and terms, one by one or in a CSV list."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peerwatt.operator.consent import Consent, ConsentError
from peerwatt.operator.pseudonyms import Pseudonyms, SaltError
from peerwatt.operator.terms import FIELDS, read_terms
from peerwatt.reference.registry import Terms
from peerwatt.refusals.base import MarketError

# How the outcome of a row is called.
READY, ALREADY, REFUSED, ENROLLED = "ready", "already enrolled", "refused", "enrolled"


class ListError(ValueError):
    """The list of homes cannot be read at all."""


@dataclass
class Row:
    """One home of a list, and what becomes of it.

    Attributes:
        place: where it stands, for people: a line or a file.
        number: connection number as the operator wrote it.
        connection: its pseudonym, None if the row is bad.
        outcome: READY until something else is known.
        problem: why it is refused.
        transaction: hash of the one that enrolled it.
    """

    place: str
    number: str
    connection: bytes | None = None
    terms: Terms | None = None
    consent: Consent | None = None
    outcome: str = READY
    problem: str | None = None
    transaction: str | None = None

    def refuse(self, problem: str) -> None:
        """Marks the row as bad."""
        self.outcome, self.problem = REFUSED, problem

    def to_application(self) -> tuple[Any, ...]:
        """What `enrol_many` takes."""
        assert self.connection is not None and self.terms is not None and self.consent is not None
        terms, message = self.terms, self.consent.enrolment
        return (
            self.connection,
            (
                terms.import_limit_wh,
                terms.export_limit_wh,
                terms.feeder,
                terms.status,
                terms.meter_class,
                terms.retail_class,
            ),
            (message.account, message.meter, message.imported_wh, message.exported_wh, message.deadline),
            *self.consent.words,
        )


@dataclass(frozen=True)
class Reader:
    """Reads rows: how numbers become pseudonyms, and what holds where a row says nothing.

    Attributes:
        usual: values of FIELDS from the command line.
    """

    pseudonyms: Pseudonyms
    window_seconds: int
    usual: Mapping[str, str] = field(default_factory=dict)

    def read(self, place: str, file: Path, number: str, values: Mapping[str, str]) -> Row:
        """A row; what is wrong with it is noted in it."""
        row = Row(place, number.strip())
        given = {name: text for name, text in values.items() if text and text.strip()}
        try:
            row.connection = self.pseudonyms.of(number)
            row.terms = read_terms({**self.usual, **given}, self.window_seconds)
            row.consent = Consent.load(file)
        except (MarketError, ConsentError, SaltError) as error:
            row.refuse(str(error))
        return row


def read_list(path: Path, reader: Reader) -> list[Row]:
    """The rows of a CSV file: columns `consent` (a file, from the list's folder on), `connection`, any of FIELDS.

    Raises:
        ListError: no CSV, or no such columns.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise ListError(f"{path} cannot be read ({error.strerror}); name another file") from None
    except UnicodeDecodeError:
        raise ListError(f"{path} is not text in UTF-8; export it again as CSV") from None
    delimiter = max(",;\t", key=(lines[0] if lines else "").count)
    table = csv.DictReader(lines, delimiter=delimiter, strict=True, restkey="", restval="")
    columns = [name.strip().lower() for name in table.fieldnames or []]
    known = {"consent", "connection", *FIELDS}
    missing = {"consent", "connection"} - set(columns)
    unknown = set(columns) - known
    if missing or unknown or len(set(columns)) < len(columns):
        raise ListError(
            f"{path} has the columns {', '.join(columns) or '(none)'}; consent and connection are needed, "
            f"{', '.join(FIELDS)} are possible, each once"
        )
    table.fieldnames = columns
    rows: list[Row] = []
    try:
        for entry in table:
            if entry.pop("", None):
                rows.append(Row(f"line {table.line_num}", entry["connection"]))
                rows[-1].refuse("the line has more columns than the header; mend it")
                continue
            file = path.parent / entry.pop("consent").strip()
            rows.append(reader.read(f"line {table.line_num}", file, entry.pop("connection"), entry))
    except csv.Error as error:
        raise ListError(f"{path}, line {table.line_num}: no CSV ({error}); export it again") from None
    return rows


def refuse_twins(rows: Sequence[Row]) -> None:
    """Marks rows whose connection, account or meter stands in the list before."""
    seen: dict[tuple[str, Any], str] = {}
    for row in rows:
        if row.outcome == REFUSED or row.consent is None:
            continue
        message = row.consent.enrolment
        for name, value in (("connection", row.connection), ("account", message.account), ("meter", message.meter)):
            first = seen.setdefault((name, value), row.place)
            if first != row.place:
                row.refuse(f"its {name} is that of {first} too; take one of them out")
                break
