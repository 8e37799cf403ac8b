"""JSON bodies, strictly: what another reader could understand otherwise is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from peerwatt_bridge.problems import Problem

MAX_NESTING = 32
# A string, or what is one up to the end: no quote makes it look again at what it has seen.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class StrictRoute(APIRoute):
    """A route whose JSON is read by `read_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As FastAPI's, with another request."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            try:
                return await handle(_StrictRequest(request.scope, request.receive))
            except HTTPException as error:
                # FastAPI makes its own error of whatever goes wrong with a body.
                if isinstance(error.__cause__, Problem):
                    raise error.__cause__ from None
                raise

        return handle_strictly


class _StrictRequest(Request):
    async def json(self) -> Any:
        """The body.

        Raises:
            Problem: it is no JSON, or ambiguous.
        """
        if not hasattr(self, "_read"):
            self._read = read_json(await self.body())
        return self._read


def read_json(body: bytes) -> Any:
    """JSON in UTF-8, without NaN, repeated names, lone surrogates, or more than MAX_NESTING levels.

    Raises:
        Problem: 400 `undecodable-body`.
    """
    _check_nesting(body)
    try:
        found = json.loads(
            body.decode("utf-8"), object_pairs_hook=_to_object, parse_constant=_refuse_constant, parse_float=_to_float
        )
    except UnicodeDecodeError as error:
        raise _undecodable(f"byte {error.start} is no UTF-8") from error
    except json.JSONDecodeError as error:
        raise _undecodable(f"at character {error.pos}: {error.msg}") from error
    except ValueError as error:
        raise _undecodable(str(error)) from error
    if b"\\u" in body:
        try:
            json.dumps(found, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError as error:
            raise _undecodable("half of a surrogate pair stands alone") from error
    return found


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:40]!a} is there twice in one object")
    return found


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _to_float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _check_nesting(body: bytes) -> None:
    """Before it is parsed: libraries raise the interpreter's recursion limit so far that deep JSON ends the process."""
    if body.count(b"[") + body.count(b"{") <= MAX_NESTING:
        return
    brackets = _STRING.sub(b"", body).translate(None, _NO_BRACKETS)
    for _ in range(MAX_NESTING):
        # The innermost level goes.
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not brackets:
            return
    raise _undecodable(f"it has more than {MAX_NESTING} levels, or brackets that do not match")


def _undecodable(fact: str) -> Problem:
    return Problem(
        400, "undecodable-body", "The body can't be read", f"the body is no JSON: {fact}; send JSON in UTF-8 (RFC 8259)"
    )
