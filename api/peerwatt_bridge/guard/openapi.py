"""The OpenAPI document with every answer that the guards and the problems give."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from peerwatt_bridge.problems import MEDIA_TYPE, TYPES

PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong (RFC 9457): a type that stays, the fact with its values and the next step.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "pattern": f"^{TYPES}[a-z0-9-]+$"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
    },
    "additionalProperties": True,
}
TEXTS = {
    "400": "The request can't be read.",
    "401": "The credentials are missing or wrong.",
    "403": "This is not allowed here.",
    "404": "There is no such thing.",
    "408": "The body came too slowly.",
    "409": "Something else is there already.",
    "413": "The body is too large, or has too many readings.",
    "422": "The request is malformed, or the market would refuse what it asks.",
    "429": "Too many requests, or the home's quota is used.",
    "500": "Nobody foresaw this; it is logged.",
    "503": "The node or the database is away, or the bridge has too much to do.",
}
EVERYWHERE = ("400", "422", "429", "500", "503")
WITH_BODY = ("408", "409", "413")
RETRY = {"429", "503"}
SCHEMES = {
    "administrator": {"type": "http", "scheme": "bearer", "description": "The token of PEERWATT_BRIDGE_ADMIN_TOKEN."},
    "meter": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "Meter address=0x..,time=UNIX,signature=0x.. : an EIP-191 signature by the meter's key over "
        "'peerwatt meter request\\n{METHOD} {path with query}\\n{UNIX time}\\n{sha256 of the body, hex}'.",
    },
}
SECURED = {"/v1/admin/": "administrator", "/v1/meters/": "meter"}
METHODS = ("get", "put", "post", "delete", "patch")


def document(app: FastAPI) -> None:
    """Adds the problems to the app's OpenAPI document. Routes name themselves only what is special about them."""
    make = app.openapi

    def make_whole() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(make())
        return app.openapi_schema

    app.openapi = make_whole  # type: ignore[method-assign]


def _with_problems(schema: dict[str, Any]) -> dict[str, Any]:
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    schema["components"]["securitySchemes"] = SCHEMES
    for path, methods in schema["paths"].items():
        for method in METHODS:
            if method in methods:
                _add_problems(path, methods[method])
    return schema


def _add_problems(path: str, operation: dict[str, Any]) -> None:
    answers = operation.setdefault("responses", {})
    statuses = {*EVERYWHERE, *(WITH_BODY if "requestBody" in operation else ())}
    if "{" in path:
        statuses.add("404")
    # What a route says about an error without a model is a problem too.
    statuses |= {status for status in answers if status >= "400"}
    for status in sorted(statuses):
        known = answers.get(status, {})
        answers[status] = _answer(status, known.get("description"))
        if status != "422":
            # A route may have an answer of its own for a status too.
            answers[status]["content"] |= known.get("content", {})
    for prefix, scheme in SECURED.items():
        if path.startswith(prefix):
            operation["security"] = [{scheme: []}]


def _answer(status: str, description: str | None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": TEXTS.get(status) or description or "An error.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in RETRY:
        answer["headers"] = {
            "Retry-After": {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[0-9]+$"}}
        }
    return answer
