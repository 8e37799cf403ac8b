"""The shape of the tree: imports run one way, files stay readable, nothing is left unfinished."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from peerwatt.extras import MissingExtra, require

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "client"
FOLDERS = ("contracts", "client", "api", "scripts", "examples", "tests")
LINES = 400
# Written in halves so that this file does not contain them.
UNFINISHED = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "place" + "holder", "NotImplemented" + "Error")
# A path of some developer's machine.
MACHINE = re.compile(r"(?<![\w.~])/(?:work|root|home|tmp|Users)/\w")
# What a home's install does not have, and what the licence keeps out.
NEVER = {"ape", "boa", "vyper", "snekmate", "richardsonpy"}


def sources(*suffixes: str) -> list[Path]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in suffixes]
    assert found
    return sorted(
        path for path in found if "__pycache__" not in path.parts and "node_modules" not in path.parts
    )


def imports(path: Path, root: Path = CLIENT) -> set[str]:
    """Dotted names of the modules that a file imports, relative ones resolved."""
    package = path.relative_to(root).with_suffix("").parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def foreign_to_reference(module: str) -> bool:
    return module.partition(".")[0] not in sys.stdlib_module_names and not is_in(module, "peerwatt.reference")


def test_imports__relative_and_absolute__resolved(tmp_path: Path) -> None:
    package = tmp_path / "peerwatt" / "reference"
    package.mkdir(parents=True)
    module = package / "offers.py"
    lines = (
        "import json",
        "from . import bits",
        "from .wallets import Wallet",
        "from ..units import parse",
        "import web3.types",
    )
    module.write_text("\n".join(lines))
    found = imports(module, tmp_path)
    assert found == {
        "json",
        "peerwatt.reference.bits",
        "peerwatt.reference.wallets.Wallet",
        "peerwatt.units.parse",
        "web3.types",
    }
    assert {name for name in found if foreign_to_reference(name)} == {"peerwatt.units.parse", "web3.types"}


def test_reference__imports__standard_library_and_itself() -> None:
    wrong = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in (CLIENT / "peerwatt" / "reference").rglob("*.py")
        for module in imports(path)
        if foreign_to_reference(module)
    }
    assert not wrong


def test_client__imports__neither_bridge_nor_compiler() -> None:
    wrong = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in CLIENT.rglob("*.py")
        for module in imports(path)
        if module.partition(".")[0] in NEVER | {"peerwatt_bridge"}
    }
    assert not wrong


def test_files__python_and_vyper__at_most_400_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources(".py", ".vy", ".vyi")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LINES
    }
    assert not long


def test_files__all__say_nothing_unfinished_and_name_no_machine() -> None:
    texts = sources(".py", ".vy", ".vyi", ".json", ".toml", ".yaml", ".html", ".js", ".css", ".sh")
    texts += sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))
    texts += [
        ROOT / name
        for name in ("pyproject.toml", "Makefile", "constraints.txt", "ape-config.yaml", ".ci/run")
    ]
    unfinished = re.compile(r"\b(" + "|".join(UNFINISHED) + r")\b")
    found = {
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in texts
        for pattern in (unfinished, MACHINE)
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
    }
    assert not found


def test_constraints__lines__names_and_versions_only() -> None:
    line = re.compile(r'[a-z0-9-]+==[\w.]+(; python_version (<|>=) "3\.13")?')
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [text for text in lines if not text.startswith("#") and not line.fullmatch(text)] == []


def test_require__missing_module__names_the_extra_and_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert require("dev", "json").__name__ == "json"
    with pytest.raises(
        MissingExtra, match=r"no_such_module.sub is not installed; .*pip install 'peerwatt\[grid\]'"
    ):
        require("grid", "no_such_module.sub")
    with pytest.raises(ValueError, match="no extra 'gird'; there are grid, "):
        require("gird", "json")
    (tmp_path / "broken_module.py").write_text("import its_missing_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="its_missing_dependency"):
        require("grid", "broken_module")


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("", 0)])
@pytest.mark.parametrize(
    "test",
    [
        "import pytest\n@pytest.mark.{mark}\ndef test(): assert 0\n".replace("{mark}", "sk" + "ip"),
        "import pytest\npytest.importor{mark}('no_such_module')\ndef test(): pass\n".replace(
            "{mark}", "sk" + "ip"
        ),
    ],
    ids=["test", "module"],
)
def test_conftest__test_left_out__fails_in_ci_only(tmp_path: Path, test: str, ci: str, status: int) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_left_out.py").write_text(test)
    (tmp_path / "test_fine.py").write_text("def test_fine():\n    assert 1 + 1 == 2\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:ape_test",
        str(tmp_path),
    ]
    env = {**os.environ, "CI": ci}
    result = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert bool(result.returncode) == bool(status), result.stdout
