"""Who asks: a meter by its key, an administrator by the token. Wrong credentials are counted."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Annotated

from eth_utils.address import to_checksum_address
from fastapi import Depends, Path, Request

from peerwatt.exceptions import BadMeterRequest, MeterRequestExpired
from peerwatt.meter.requests import verify_request
from peerwatt_bridge.guard.limits import client_of
from peerwatt_bridge.guard.signals import Sign
from peerwatt_bridge.problems import Problem, from_refusal
from peerwatt_bridge.routes.dependencies import BridgeOf

BEARER = "Bearer "
MeterAddress = Annotated[str, Path(pattern="^0x[0-9a-fA-F]{40}$", description="Address of the meter.")]


async def know_meter(meter: MeterAddress, request: Request, bridge: BridgeOf) -> str:
    """The meter of the path, which signed this very request; its checksum address.

    Raises:
        Problem: 401, it did not, or too long ago, or the request was here before.
    """
    body = await request.body()
    path = b"?".join(part for part in (_raw_path(request), request.scope["query_string"]) if part).decode("latin-1")
    try:
        known = verify_request(request.headers.get("authorization"), request.method, path, body, time.time())
    except MeterRequestExpired as error:
        raise _unauthorized(error) from error
    except BadMeterRequest as error:
        if "authorization" in request.headers:
            bridge.defences.signals.note(Sign.GUESSING)
        raise _unauthorized(error) from error
    address = str(to_checksum_address(meter))
    if known.meter != address:
        text = f"the request is of the meter {known.meter} and asks for {address}; each meter has its own commands"
        raise _unauthorized(BadMeterRequest(text))
    # By what was signed: the same signature can be written in several ways.
    entry = f"{known.meter} {known.time_s} {request.method} {path}".encode() + hashlib.sha256(body).digest()
    if not bridge.defences.seen.add(hashlib.sha256(entry).digest()):
        bridge.defences.signals.note(Sign.REPLAY)
        text = f"this very request of {known.meter} was here before; sign it again with the present time"
        raise Problem(401, "meter-request-replayed", "The request was here before", text, headers=_challenge("Meter"))
    return known.meter


def know_administrator(request: Request, bridge: BridgeOf) -> str:
    """The client address of who has the administrator's token.

    Raises:
        Problem: 403, there is no token. 401, it is another one. 429, wrong tokens came from this address.
    """
    address = "unknown" if request.client is None else request.client.host
    client, lockouts = client_of(address), bridge.defences.lockouts
    if bridge.settings.admin_token is None or not bridge.settings.admin_token.get_secret_value():
        text = "this bridge has no administrator's token; who runs it sets PEERWATT_BRIDGE_ADMIN_TOKEN"
        raise Problem(403, "administration-off", "No administrative act is possible", text)
    left_s = lockouts.left_s(client)
    if left_s:
        bridge.defences.signals.note(Sign.GUESSING)
        seconds = int(left_s) + 1
        text = f"wrong tokens came from this address; try again in {seconds} s"
        members, headers = {"retry_after_s": seconds}, {"Retry-After": str(seconds)}
        raise Problem(429, "locked-out", "Too many wrong tokens", text, members, headers)
    given = request.headers.get("authorization", "")
    if not given.startswith(BEARER):
        text = "there is no token; send it as 'Authorization: Bearer TOKEN'"
        raise Problem(401, "no-token", "The administrator's token is missing", text, headers=_challenge("Bearer"))
    if not _is_same(given.removeprefix(BEARER), bridge.settings.admin_token.get_secret_value()):
        lockouts.note_failure(client)
        bridge.defences.signals.note(Sign.GUESSING)
        text = "the token is another one; ask who runs this bridge, and mind that some wrong ones lock the address out"
        raise Problem(401, "wrong-token", "The administrator's token is wrong", text, headers=_challenge("Bearer"))
    lockouts.note_success(client)
    return address


MeterOf = Annotated[str, Depends(know_meter)]
AdministratorOf = Annotated[str, Depends(know_administrator)]


def _raw_path(request: Request) -> bytes:
    """As it was sent: what the path decodes to could be written in other ways."""
    raw: bytes | None = request.scope.get("raw_path")
    return request.url.path.encode() if raw is None else raw


def _is_same(given: str, token: str) -> bool:
    """In a time that says nothing of the token, not even its length."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (given, token)]
    return hmac.compare_digest(*digests)


def _unauthorized(error: BadMeterRequest) -> Problem:
    problem = from_refusal(error)
    return Problem(401, problem.slug, problem.title, problem.detail, problem.members, _challenge("Meter"))


def _challenge(scheme: str) -> dict[str, str]:
    return {"WWW-Authenticate": scheme}
