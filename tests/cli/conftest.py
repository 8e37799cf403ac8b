"""Commands as people type them, on a chain in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.traders import EMS, go_to_one_o_clock
from cli.village import ADA, BOLA, CHIDI, PASSWORD, Village, write_keystore
from peerwatt.cli import session
from peerwatt.cli.main import app
from peerwatt.cli.settings import SETTINGS


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and no setting from outside."""
    for setting in SETTINGS:
        for variable in setting.variables:
            monkeypatch.delenv(variable, raising=False)
    for variable in ("PEERWATT_CONFIG", "FOUNDRY_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    # Wide, so that a table is never folded.
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(home_folder: Path) -> Run:
    """Runs a command, e.g. `run("sell", "2.5kWh", "--price", "95", input="y\\n")`."""

    def invoke(*arguments: object, input: str | None = None, expect: int | None = 0) -> Ran:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=input)
        ran = Ran(result.exit_code, result.stdout, result.stderr)
        if expect is not None:
            assert ran.code == expect, f"exit code {ran.code}\n{ran.out}\n{ran.err}\n{result.exception!r}"
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return ran

    return invoke


@pytest.fixture(scope="session")
def _village() -> Village:
    return Village()


@pytest.fixture
def village(_village: Village, home_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Village]:
    """The village as it was founded; the commands find it, and the password of every test keystore."""
    snapshot = _village.chain.take_snapshot()
    move_in(_village, home_folder, monkeypatch)
    yield _village
    _village.chain.revert_to(snapshot)


def move_in(village: Village, home_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the commands find a village, and the password of every test keystore."""
    monkeypatch.setattr(session, "connect", lambda url: village.w3)
    village.deployment.save(home_folder / "deployment.json")
    password_file = home_folder / "password"
    password_file.write_text(PASSWORD + "\n")
    monkeypatch.setenv("ETH_PASSWORD", str(password_file))
    monkeypatch.setenv("PEERWATT_TIME_ZONE", "Africa/Lagos")


@pytest.fixture
def keys(home_folder: Path) -> Path:
    """The folder of the commands' keystores."""
    return home_folder / "data" / "peerwatt" / "keys"


@pytest.fixture
def traders(village: Village, keys: Path) -> Village:
    """The village shortly after 13:00, and everybody's key."""
    for home in (ADA, BOLA, CHIDI, EMS):
        write_keystore(keys, home.name, home.account_key)
    go_to_one_o_clock(village)
    return village
