"""A copy of this tree in which ape works, so that it leaves nothing in the tree itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("contracts", "scripts", "tests/with_ape", "tests/conftest.py", "ape-config.yaml", "pyproject.toml")


class Tree:
    """A copy of what ape needs of this tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in PARTS:
            source, target = ROOT / part, folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)

    def ape(self, *arguments: object, input: str | None = None, expect: int = 0, **variables: str) -> str:
        """What an ape command prints, stderr included."""
        scripts = Path(sys.executable).parent
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PEERWATT_", "PYTEST_"))},
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "client"),
            "TERM": "dumb",
            **variables,
        }
        done = subprocess.run(
            [scripts / "ape", *map(str, arguments)],
            cwd=self.folder,
            env=environment,
            input=input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == expect, done.stdout
        return done.stdout
