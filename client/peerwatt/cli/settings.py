"""Where the command line finds things: a flag, else the environment, else the configuration file, else a default."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from peerwatt.cli.errors import ConfigurationError

DEFAULT_RPC = "http://127.0.0.1:8545"
MANIFEST = "deployment.json"


@dataclass(frozen=True)
class Setting:
    """One thing that can be set.

    Attributes:
        name: in the configuration file; the flag is the same with dashes.
        variables: of the environment, the first that is set counts. Those that start with ETH_ are cast's.
        meaning: for people.
        default: the value if nothing sets it, None for none.
    """

    name: str
    variables: tuple[str, ...]
    meaning: str
    default: Callable[[], str | None]


@dataclass(frozen=True)
class Value:
    """A setting's value and where it came from."""

    value: str | None
    source: str


def config_home() -> Path:
    """Folder of the configuration file (XDG)."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "peerwatt"


def data_home() -> Path:
    """Folder of keys and manifest (XDG)."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "peerwatt"


def config_path() -> Path:
    """The configuration file."""
    return Path(os.environ.get("PEERWATT_CONFIG") or config_home() / "config.toml")


def _default_manifest() -> str:
    here = Path(MANIFEST)
    return str(here if here.exists() else data_home() / MANIFEST)


SETTINGS = (
    Setting("rpc", ("PEERWATT_RPC", "ETH_RPC_URL"), "JSON-RPC node", lambda: DEFAULT_RPC),
    Setting("bridge", ("PEERWATT_BRIDGE",), "bridge that sends what you sign; none for none", lambda: None),
    Setting("deployment", ("PEERWATT_DEPLOYMENT",), "manifest of the market", _default_manifest),
    Setting(
        "account", ("PEERWATT_ACCOUNT", "ETH_KEYSTORE_ACCOUNT"), "key to act with, by name or address", lambda: None
    ),
    Setting("keystore", ("ETH_KEYSTORE",), "keystore folder, or one keystore file", lambda: str(data_home() / "keys")),
    Setting("password_file", ("ETH_PASSWORD",), "file with the password of the keystore", lambda: None),
    Setting("meter", ("PEERWATT_METER",), "meter key, by name or address", lambda: None),
    Setting("time_zone", ("PEERWATT_TIME_ZONE",), "zone of the times that you read and write", lambda: None),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}


class Settings:
    """All settings of one run."""

    def __init__(self, flags: Mapping[str, str | None]) -> None:
        """
        Args:
            flags: by setting name, None where the flag was not given.
        Raises:
            ConfigurationError: the configuration file is no TOML, or has an unknown or wrong entry.
        """
        self.path = config_path()
        self._file = read_file(self.path)
        self._flags = flags

    def get(self, name: str) -> Value:
        """A setting's value with its source."""
        setting = BY_NAME[name]
        flag = self._flags.get(name)
        if flag is not None:
            return Value(flag, f"--{name.replace('_', '-')}")
        for variable in setting.variables:
            if os.environ.get(variable):
                return Value(os.environ[variable], variable)
        if name in self._file:
            return Value(self._file[name], str(self.path))
        return Value(setting.default(), "default")

    def __getitem__(self, name: str) -> str | None:
        return self.get(name).value

    def need(self, name: str) -> str:
        """A setting that has to have a value.

        Raises:
            ConfigurationError: it has none.
        """
        value = self[name]
        if value is None:
            raise ConfigurationError(f"no {name} is set; {how_to_set(name)}")
        return value

    def path_of(self, name: str) -> Path:
        """A setting that is a path; `~` is the home."""
        return Path(self.need(name)).expanduser()


def how_to_set(name: str) -> str:
    """The three ways to set something, in words."""
    flag, variable = f"--{name.replace('_', '-')}", BY_NAME[name].variables[0]
    return f"give {flag}, set {variable}, or run: peerwatt config set {name} VALUE"


def read_file(path: Path) -> dict[str, str]:
    """The entries of a configuration file; none if there is no file.

    Raises:
        ConfigurationError: no TOML, or an unknown or wrong entry.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML ({error}); mend or remove it") from error
    for name, value in entries.items():
        if name not in BY_NAME:
            raise ConfigurationError(f"{path} sets {name!r}, which is nothing; there are {', '.join(BY_NAME)}")
        if not isinstance(value, str):
            raise ConfigurationError(f'{path} sets {name} to {value!r}; write a text in quotes, {name} = "..."')
    return entries


def write_file(path: Path, entries: Mapping[str, str]) -> None:
    """Writes a configuration file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A JSON string is a TOML string.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in sorted(entries.items())]
    path.write_text("".join(lines), encoding="utf-8")
