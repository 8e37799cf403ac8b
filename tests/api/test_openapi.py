"""The whole OpenAPI document, with values that it allows and values that it does not."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import pytest
import requests
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.fixtures import bridge_at, client_of, reading, sqlite_url
from api.test_readings import ended, post
from cli.village import ADA, Village
from peerwatt.meter.requests import sign_request
from peerwatt_bridge.app import create_app
from peerwatt_bridge.guard.bodies import StrictRoute
from peerwatt_bridge.problems import MEDIA_TYPE, TYPES
from peerwatt_bridge.services.bridge import Bridge
from peerwatt_bridge.services.commands import CommandKind
from peerwatt_bridge.services.follower import Follower

FUZZ = int(os.environ.get("PEERWATT_FUZZ") or 0)
# Of each operation, once with good and once with bad values.
EXAMPLES = max(8, FUZZ // 200)
TOKEN = "a token with nothing to guess"
TIMES = count()
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def schema(village_once: Village, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The document of a bridge with a reading that is quarantined, and with a command."""
    limits = {"admin_token": TOKEN, "requests_per_minute": 10**9}
    with bridge_at(village_once, sqlite_url(tmp_path_factory.mktemp("openapi")), **limits) as bridge:
        app = create_app(bridge)
        loaded = schemathesis.openapi.from_asgi("/openapi.json", app)
        # A stream has no end; tests/api/test_events.py listens to it.
        loaded = loaded.exclude(path="/v1/events")
        bridge.administration.give_command(ADA.meter, CommandKind.PING, None, None, "test")
        sent = reading(village_once, ADA, ended(village_once), 0, 9_000)
        Follower(bridge.database, bridge.chain, bridge.leases).round()
        with client_of(bridge) as client:
            [kept] = post(client, sent)
        loaded.digest = kept["digest"]
        yield loaded


def test_document__every_operation__answers_errors_with_problems(schema: Any) -> None:
    operations = [result.ok().definition.raw for result in schema.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:
        assert {"400", "422", "429", "500", "503"} <= set(operation["responses"])
        for status, answer in operation["responses"].items():
            if status >= "400":
                assert MEDIA_TYPE in answer["content"], (operation["operationId"], status)


def test_routes__with_a_body__read_it_strictly(bridge: Bridge) -> None:
    def walk(routes: Iterable[Any]) -> Iterator[APIRoute]:
        for route in routes:
            if isinstance(route, APIRoute):
                yield route
            else:
                yield from walk(getattr(getattr(route, "original_router", route), "routes", ()))

    found = [route for route in walk(create_app(bridge).routes) if route.body_field is not None]
    assert len(found) > 8
    assert [route.path for route in found if not isinstance(route, StrictRoute)] == []


@pytest.mark.fuzz
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_operations__any_values__answers_are_as_documented(schema: Any, mode: GenerationMode) -> None:
    answered: Counter[int] = Counter()
    for result in schema.get_all_operations():
        operation = result.ok()
        # Where nothing is given, nothing can be wrong.
        if mode is GenerationMode.POSITIVE or {"parameters", "requestBody"} & set(operation.definition.raw):
            run_operation(operation, mode, schema.digest, answered)
    assert {status for status in answered if status >= 500} == set()
    assert sum(answered.values()) >= EXAMPLES * 8
    assert answered[422] > 0 and (mode is GenerationMode.NEGATIVE or answered[200] > 0)
    print(f"\n{mode.value}: {dict(sorted(answered.items()))}")


def run_operation(operation: Any, mode: GenerationMode, digest: str, answered: Counter[int]) -> None:
    """Sends many cases of an operation and checks each answer."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        database=None,
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def run(case: Any, known: bool) -> None:
        if known:
            aim(case, digest)
        response = case.call(headers=credentials(case))
        answered[response.status_code] += 1
        if response.status_code >= 400 and response.request.method != "HEAD":
            assert response.headers["content-type"] == [MEDIA_TYPE], response.headers
            assert response.json()["type"].startswith(TYPES)
        case.validate_response(response, checks=CHECKS)

    run()


def aim(case: Any, digest: str) -> None:
    """Makes a case meet what is there."""
    parameters = case.path_parameters or {}
    if "digest" in parameters:
        parameters["digest"] = digest
    if "meter" in parameters:
        parameters["meter"] = ADA.meter
    if "number" in parameters:
        parameters["number"] = 1


def credentials(case: Any) -> dict[str, str]:
    """Of an administrator, or of Ada's meter."""
    if case.path.startswith("/v1/admin"):
        return {"Authorization": f"Bearer {TOKEN}"}
    if not case.path.startswith("/v1/meters"):
        return {}
    if case.query and case.query.get("wait"):
        # Nobody waits here.
        case.query["wait"] = 0
    sent = requests.Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
    body = sent.body or b""
    signed = body if isinstance(body, bytes) else str(body).encode()
    # Each request has a time of its own: none is a replay.
    time_s = int(time.time()) - next(TIMES) % 250
    return {"Authorization": sign_request(sent.method or "", sent.path_url, time_s, signed, ADA.meter_key)}
