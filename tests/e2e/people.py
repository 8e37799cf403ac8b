"""People at the command line: each with a home folder of its own, all through the installed command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.tools import environment

PASSWORD = "correct horse battery staple"
# The command as pip installed it.
PEERWATT = [str(Path(sys.executable).parent / "peerwatt")]
TERMS = ("--feeder", 0, "--import-limit", "5kWh", "--export-limit", "5kWh", "--meter-class", 1, "--retail-class", 0)


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Person:
    """Somebody with keys, at a chain.

    Attributes:
        home: folder of keys, consents and exports.
        url, manifest: chain and market.
        account: address, once there is a key.
    """

    home: Path
    url: str
    manifest: Path
    account: str = ""
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return environment(
            HOME=str(self.home),
            PEERWATT_RPC=self.url,
            PEERWATT_DEPLOYMENT=str(self.manifest),
            PEERWATT_TIME_ZONE="Africa/Lagos",
            ETH_PASSWORD=str(self.home / "password"),
            **self.more,
        )

    def type(self, *words: object, input: str = "", expect: int = 0) -> Said:
        """Types a command, e.g. `ada.type("sell", "1kWh", "--price", 95, "--yes")`."""
        done = subprocess.run(
            [*PEERWATT, *map(str, words)],
            cwd=self.home,
            env=self.environment,
            input=input,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == expect, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Said(done.returncode, done.stdout, done.stderr)

    def refused(self, *words: object, code: int) -> str:
        """Types a command that ends with one line on stderr; the line."""
        said = self.type(*words, expect=code)
        lines = said.err.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith("peerwatt: "), said.err
        assert "Traceback" not in said.err + said.out
        return lines[0].removeprefix("peerwatt: ")


def arrive(home: Path, url: str, manifest: Path) -> Person:
    """Somebody with a password and nothing else."""
    home.mkdir(parents=True)
    password = home / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    return Person(home, url, manifest)


def settle_in(person: Person, number: int, *, feeds_in: bool) -> Person:
    """From no key to money in the market: key, gas, meter, consent, enrolment, deposit."""
    person.type("wallet", "new", "home", "--yes")
    found = re.search(r"0x[0-9a-fA-F]{40}", person.type("wallet", "list").out)
    assert found is not None
    person.account = found[0]
    person.more["PEERWATT_ACCOUNT"] = "home"
    person.type("faucet")
    person.type("meter", "new")
    person.type("join", "--imported", "10kWh", "--exported", "20kWh", "--out", "consent.json", "--yes")
    status = "feeding-in" if feeds_in else "consuming"
    person.type("operator", "enrol", "consent.json", "--connection", number, "--status", status, *TERMS, "--yes")
    person.type("wallet", "deposit", "600 NGN", "--yes")
    return person
