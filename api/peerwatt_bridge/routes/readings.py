"""`/v1/readings`: signed registers of meters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from peerwatt.exceptions import BadAmount, BadMessage
from peerwatt.meter.submission import SignedReport
from peerwatt.signing import EXPORTS, IMPORTS, Report, Signature
from peerwatt_bridge.guard.bodies import StrictRoute
from peerwatt_bridge.problems import Problem, from_refusal
from peerwatt_bridge.routes.compact import MEDIA_TYPE, compact_route, decode
from peerwatt_bridge.routes.dependencies import BridgeOf, get_bridge, translating
from peerwatt_bridge.services.bridge import Bridge
from peerwatt_bridge.services.readings import MAX_WINDOWS, Outcome
from peerwatt_bridge.services.records import ReadingRecord


def take_compact(request: Request, body: bytes) -> Results:
    """The readings of a CBOR body."""
    bridge = get_bridge(request)
    signed = decode(body)
    _check_count(bridge, len(signed))
    return _accept(bridge, signed)


router = APIRouter(prefix="/v1/readings", tags=["readings"], route_class=compact_route(take_compact, StrictRoute))

# OBIS codes of the registers.
SIDES = {"1.8.0": IMPORTS, "2.8.0": EXPORTS}
DECIMALS = {"kWh": 3, "Wh": 0}
_NUMBER = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,9}))?")
MAX_TEXT = 32
Digest = Annotated[str, Path(pattern="^0x[0-9a-f]{64}$", description="Digest of the report, as its answer said.")]


CBOR_BODY = {"requestBody": {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}}


class Reading(BaseModel):
    """Registers of a meter that it signed as an EIP-712 `Report`."""

    model_config = ConfigDict(extra="forbid")

    meter: Annotated[str, Field(max_length=42, description="Address of the meter.")]
    register_: Annotated[
        Literal["1.8.0", "2.8.0"], Field(alias="register", description="OBIS: 1.8.0 imported, 2.8.0 exported.")
    ]
    unit: Literal["kWh", "Wh"]
    first_window: Annotated[int, Field(ge=0, lt=2**32, strict=True)]
    values: Annotated[
        list[Annotated[str, Field(max_length=MAX_TEXT)]],
        Field(
            min_length=1,
            max_length=MAX_WINDOWS + 1,
            description="The register at the start of `first_window`, then at the end of each window.",
        ),
    ]
    signature: Annotated[str, Field(max_length=132, description="65 or 64 bytes as hex.")]

    def to_signed(self) -> SignedReport:
        """The signed report.

        Raises:
            BadAmount: a value that is no whole number of Wh.
            BadMessage, MalformedSignature: no meter's report can have these values.
        """
        registers = tuple(to_wh(value, self.unit) for value in self.values)
        report = Report(self.meter, SIDES[self.register_], self.first_window, registers)
        return SignedReport(report, Signature.from_hex(self.signature))


class Batch(BaseModel):
    """Several readings at once."""

    model_config = ConfigDict(extra="forbid")

    readings: Annotated[list[Reading], Field(min_length=1, max_length=10_000)]


# The names of `storage.tables.Status`, in lower case.
StatusName = Annotated[
    str,
    Field(pattern="^(received|relayed|confirmed|final|quarantined|held|superseded|refused|expired)$"),
]


class Result(BaseModel):
    """What became of a reading."""

    digest: str
    status: StatusName
    reason: str | None = None
    detail: str | None = None
    duplicate: bool = False


class Results(BaseModel):
    """One result for each reading, in their sequence."""

    results: list[Result]


class Record(Result):
    """A reading with its way so far. Times in Unix seconds."""

    model_config = ConfigDict(validate_by_name=True)

    id: int
    meter: str
    register_: Annotated[str, Field(alias="register")]
    first_window: int
    registers_wh: list[int]
    signature: str
    received_s: int
    transaction: str | None = None
    block: int | None = None


class Page(BaseModel):
    """Some records; `next` is the `after` of the following page, null at the end."""

    readings: list[Record]
    next: int | None


@router.post("", status_code=202, response_model=Results, openapi_extra=CBOR_BODY)
def take_readings(body: Reading | Batch, bridge: BridgeOf) -> Any:
    """Takes one reading or many. When this answers, they are kept on disk.

    A single reading that is refused is a problem; among many, each has its own result.
    """
    sent = body.readings if isinstance(body, Batch) else [body]
    _check_count(bridge, len(sent))
    signed = []
    for place, reading in enumerate(sent):
        try:
            signed.append(reading.to_signed())
        except (BadAmount, BadMessage) as error:
            raise _malformed(place, len(sent), str(error)) from error
    return _accept(bridge, signed, alone=not isinstance(body, Batch))


@router.get("/{digest}", response_model=Record)
def show_reading(digest: Digest, bridge: BridgeOf) -> Any:
    """A reading and where it is on its way."""
    with translating():
        record = bridge.records.find_reading(bytes.fromhex(digest[2:]))
    if record is None:
        raise Problem(
            404, "unknown-reading", "No such reading", f"nobody sent the reading {digest} here; send it first"
        )
    return to_record(record)


@router.get("", response_model=Page)
def list_readings(
    bridge: BridgeOf,
    meter: Annotated[str | None, Query(pattern="^0x[0-9a-fA-F]{40}$")] = None,
    status: Annotated[str | None, Query(max_length=20)] = None,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Any:
    """Readings in the sequence in which they came, quarantined ones too."""
    with translating():
        records = bridge.records.list_readings(meter, status, after, limit)
    return Page(
        readings=[to_record(record) for record in records],
        next=records[-1].id if len(records) == limit else None,
    )


def to_wh(text: str, unit: str) -> int:
    """A register [Wh].

    Raises:
        BadAmount: no decimal number, or no whole number of Wh.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise BadAmount(f"{text!r} is no register; write digits and at most one decimal point, like '20.950'")
    decimals = DECIMALS[unit]
    fraction = (match[2] or "").rstrip("0")
    if len(fraction) > decimals:
        raise BadAmount(f"{text!r} {unit} is no whole number of Wh; give at most {decimals} decimals")
    return int(match[1] + fraction.ljust(decimals, "0"))


def to_result(outcome: Outcome) -> Result:
    """The answer's part for a reading."""
    return Result(
        digest="0x" + outcome.digest.hex(),
        status=outcome.status.name.lower(),
        reason=outcome.reason,
        detail=outcome.detail,
        duplicate=outcome.duplicate,
    )


def to_record(record: ReadingRecord) -> Record:
    """A kept reading."""
    report = record.signed.report
    return Record(
        id=record.id,
        digest="0x" + record.digest.hex(),
        status=record.status.name.lower(),
        reason=record.reason,
        meter=report.meter,
        register_=next(code for code, side in SIDES.items() if side == report.side),
        first_window=report.first_window,
        registers_wh=list(report.registers),
        signature="0x" + record.signed.signature.to_bytes().hex(),
        received_s=record.received_s,
        transaction=record.transaction,
        block=record.block,
    )


def _check_count(bridge: Bridge, count: int) -> None:
    if count > bridge.settings.max_readings:
        raise Problem(
            413,
            "too-many-readings",
            "Too many readings at once",
            f"there are {count} readings, at most {bridge.settings.max_readings} go at once; send them in parts",
            {"readings": count, "most": bridge.settings.max_readings},
        )


def _accept(bridge: Bridge, signed: Sequence[SignedReport], *, alone: bool = False) -> Results:
    """Keeps readings; of one that came alone, a refusal is the answer."""
    with translating():
        outcomes = bridge.taking.take_readings(signed)
    if alone and outcomes[0].error is not None:
        raise from_refusal(outcomes[0].error)
    # Nobody is woken: no reading is in such a hurry that planning should take turns with keeping.
    return Results(results=[to_result(outcome) for outcome in outcomes])


def _malformed(place: int, count: int, text: str) -> Problem:
    where = f"reading {place} of {count}: " if count > 1 else ""
    return Problem(422, "bad-reading", "A reading has values that no meter signs", f"{where}{text}", {"place": place})
