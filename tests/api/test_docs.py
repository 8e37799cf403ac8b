"""The bridge's documents say what its code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from peerwatt_bridge.settings import Settings
from peerwatt_bridge.storage.tables import Status

ROOT = Path(__file__).resolve().parents[2]


def test_operations__table_of_settings__is_the_programs() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `PEERWATT_BRIDGE_(\w+)` \| (?:`(.*?)`)? ?\| (.+) \|$", text, re.MULTILINE)
    documented = {name.lower(): default for name, default, _ in rows}
    assert list(documented) == list(Settings.model_fields)
    for name, default in documented.items():
        field = Settings.model_fields[name].default
        assert default == ("" if field in (None, ()) else str(field)), name


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.EXPIRED])
def test_bridge__table_of_statuses__has_each(status: Status) -> None:
    text = (ROOT / "docs" / "bridge.md").read_text(encoding="utf-8")
    assert re.search(rf"^\|[^|]*\b{status.name.lower()}\b[^|]*\|", text, re.MULTILINE)


def test_compose__services__name_commands_and_files_that_exist() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    for command in re.findall(r"command: \[peerwatt-bridge, (\w+)", text):
        assert f"def {command}" in (ROOT / "api/peerwatt_bridge/main.py").read_text() or command == "prepare"
    for name in re.findall(r"PEERWATT_BRIDGE_(\w+):", text):
        assert name.lower() in Settings.model_fields
    for source in re.findall(r"^COPY (?!--)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
        assert all((ROOT / path).exists() for path in source.split())
