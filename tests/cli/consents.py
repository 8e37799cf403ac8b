"""Homes that ask to join, for the tests of the operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cli.village import Home, Village
from peerwatt.operator.consent import Consent
from peerwatt.signing import Domain, Enrolment, sign

NEWCOMERS = tuple(Home(name) for name in ("dayo", "efe", "femi"))


def make_consent(
    village: Village, home: Home, *, meter: Home | None = None, domain: Domain | None = None, **changes: Any
) -> Consent:
    """A consent signed by a home's account and its meter, or that of another home."""
    domain, meter = domain or village.domain, meter or home
    fields = {"imported_wh": 0, "exported_wh": 0, "deadline": village.chain.time_s + 86_400, **changes}
    message = Enrolment(home.account, meter.meter, **fields)
    by_account, by_meter = sign(message, domain, home.account_key), sign(message, domain, meter.meter_key)
    return Consent(domain, message, by_account, by_meter)


def write_consent(village: Village, folder: Path, home: Home, **changes: Any) -> Path:
    """The same in a file named after the home."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{home.name}.json"
    make_consent(village, home, **changes).save(path)
    return path


def connection_of(village: Village, home: Home) -> bytes:
    """Where a home is enrolled; zero for nowhere."""
    return bytes(village.gateway.registry.functions.connection_of(home.account).call())
