"""Problems (RFC 9457): every error of an answer, with a type that stays, the fact, its values and the next step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from peerwatt.refusals.base import MarketError

log = structlog.get_logger(__name__)

TYPES = "https://peerwatt.org/problems/"
MEDIA_TYPE = "application/problem+json"
# A refusal is about what was sent, unless it says otherwise.
REFUSED = 422
CONFLICT = {"order-nonce-used", "withdrawal-nonce-used", "mandate-nonce-used", "slot-in-use", "window-taken"}


class Problem(Exception):
    """An answer that says no.

    Args:
        slug: the end of its type; stable.
        detail: fact, values, next step.
        members: values by name.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        slug: str,
        title: str,
        detail: str,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.title = title
        self.detail = detail
        self.members = dict(members or {})
        self.headers = dict(headers or {})

    def to_response(self) -> JSONResponse:
        """The answer."""
        body = {
            "type": TYPES + self.slug,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }
        return JSONResponse(body, self.status, self.headers, MEDIA_TYPE)


def from_refusal(error: MarketError) -> Problem:
    """The problem of an exception of the market."""
    status = 409 if error.problem in CONFLICT else REFUSED
    title = f"{error.fact[0].upper()}{error.fact[1:]}"
    members = {name: _plain(value) for name, value in error.context.items()}
    if error.reason is not None:
        members["reason"] = error.reason
    return Problem(status, error.problem, title, str(error), members)


def unavailable(what: str, detail: str, retry_s: int = 5) -> Problem:
    """Something that the bridge needs is away for now."""
    return Problem(503, f"{what}-unavailable", f"The {what} is away", detail, headers={"Retry-After": str(retry_s)})


def unforeseen(error: Exception) -> Problem:
    """The problem of an error that no code expects; the log has it whole."""
    log.error("unforeseen", error=f"{type(error).__name__}: {str(error)[:300]}", exc_info=error)
    text = "the bridge failed in a way that nobody foresaw; it is logged, try again and tell who runs it"
    return Problem(500, "unforeseen", "Something unforeseen happened", text)


def install(app: FastAPI) -> None:
    """Makes every error of the app a problem; `guard.middleware.Frame` does it for what nobody foresaw."""

    @app.exception_handler(Problem)
    def answer_problem(_: Request, problem: Problem) -> JSONResponse:
        return problem.to_response()

    @app.exception_handler(MarketError)
    def answer_refusal(_: Request, error: MarketError) -> JSONResponse:
        return from_refusal(error).to_response()

    @app.exception_handler(RequestValidationError)
    def answer_malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {"at": "/".join(str(part) for part in found["loc"]), "fact": found["msg"]} for found in error.errors()[:20]
        ]
        first = errors[0] if errors else {"at": "body", "fact": "it is malformed"}
        detail = f"{first['at']}: {first['fact']}; correct the request as /openapi.json describes it"
        return Problem(422, "malformed-request", "The request is malformed", detail, {"errors": errors}).to_response()

    @app.exception_handler(HTTPException)
    def answer_http(_: Request, error: HTTPException) -> JSONResponse:
        slug = {404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "unsupported-media-type"}
        title = str(error.detail)
        problem = Problem(
            error.status_code,
            slug.get(error.status_code, "bad-request"),
            title,
            f"{title}; /openapi.json lists what there is",
            headers=error.headers,
        )
        return problem.to_response()


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return str(value)
