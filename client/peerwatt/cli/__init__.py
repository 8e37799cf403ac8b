"""The `peerwatt` command."""

from __future__ import annotations

from peerwatt.cli.main import main

__all__ = ["main"]
