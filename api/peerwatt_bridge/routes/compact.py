"""Readings as CBOR (RFC 8949): what `/v1/readings` takes as JSON, in about half the bytes.

An array of readings, each `[meter, side, first_window, opening_wh, [growth_wh, ...], signature]`: 20 bytes of address,
0 for imported (1.8.0) or 1 for exported (2.8.0), the register at the start of `first_window` [Wh], how much it grows in
each window [Wh], and 64 bytes of signature.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Coroutine, Sequence
from itertools import accumulate
from typing import Any

import cbor2
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from peerwatt.exceptions import BadMessage
from peerwatt.meter.submission import SignedReport
from peerwatt.signing import Report, Signature
from peerwatt_bridge.problems import Problem
from peerwatt_bridge.services.connections import to_address
from peerwatt_bridge.services.readings import MAX_WINDOWS

MEDIA_TYPE = "application/cbor"
SIGNATURE_BYTES = 64
FIELDS = 6


def compact_route(take: Callable[[Request, bytes], Any], base: type[APIRoute] = APIRoute) -> type[APIRoute]:
    """A kind of route that gives a CBOR body to `take`, in a thread, and everything else to the function it is for."""

    class CompactRoute(base):  # type: ignore[valid-type, misc]
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            plain: Callable[[Request], Coroutine[Any, Any, Response]] = super().get_route_handler()

            async def handle(request: Request) -> Response:
                kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
                if request.method != "POST" or kind != MEDIA_TYPE:
                    return await plain(request)
                body = await request.body()
                results = await run_in_threadpool(take, request, body)
                return Response(results.model_dump_json(), 202, media_type="application/json")

            return handle

    return CompactRoute


def decode(body: bytes) -> list[SignedReport]:
    """The signed reports of a body.

    Raises:
        Problem: 422, it is not what this module's text says; which reading and why.
    """
    stream = io.BytesIO(body)
    try:
        items = cbor2.CBORDecoder(stream).decode()
    except (cbor2.CBORDecodeError, RecursionError, ValueError, TypeError, OverflowError) as error:
        raise _malformed(f"it is no CBOR: {' '.join(str(error).split())[:200]}") from error
    if stream.read(1):
        raise _malformed("there are bytes after its end")
    if not isinstance(items, list) or not items:
        raise _malformed("it is no array of readings, or an empty one")
    reports = []
    for place, item in enumerate(items):
        try:
            reports.append(_to_signed(item))
        except BadMessage as error:
            raise _malformed(f"reading {place}: {error}", place) from error
    return reports


def encode(signed: Sequence[SignedReport]) -> bytes:
    """The body for signed reports."""
    return cbor2.dumps(
        [
            [
                bytes.fromhex(item.report.meter[2:]),
                item.report.side,
                item.report.first_window,
                item.report.registers[0],
                list(item.report.growths_wh),
                item.signature.to_compact(),
            ]
            for item in signed
        ]
    )


def _to_signed(item: Any) -> SignedReport:
    if not isinstance(item, list) or len(item) != FIELDS:
        raise BadMessage(f"a reading is an array of {FIELDS}: meter, side, first window, opening, growths, signature")
    meter, side, first_window, opening_wh, growths_wh, signature = item
    if not isinstance(meter, bytes) or len(meter) != 20:
        raise BadMessage("the meter is no byte string of 20")
    if not isinstance(signature, bytes) or len(signature) != SIGNATURE_BYTES:
        raise BadMessage(f"the signature is no byte string of {SIGNATURE_BYTES}")
    if not isinstance(growths_wh, list) or len(growths_wh) > MAX_WINDOWS:
        raise BadMessage(f"the growths are no array of at most {MAX_WINDOWS}")
    if any(type(number) is not int or number < 0 for number in (side, first_window, opening_wh, *growths_wh)):
        raise BadMessage("side, first window, opening and growths are integers from 0")
    registers = tuple(accumulate(growths_wh, initial=opening_wh))
    return SignedReport(Report(to_address(meter), side, first_window, registers), Signature.from_bytes(signature))


def _malformed(text: str, place: int | None = None) -> Problem:
    members = {} if place is None else {"place": place}
    return Problem(422, "bad-reading", "The body is no array of readings", f"{text}; see docs/bridge.md", members)
