"""What people and scripts read: tables and lines on stdout, JSON with stable fields, progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

RIGHT = ">"


def to_json(data: Any) -> str:
    """JSON as every command prints it."""
    return json.dumps(data, indent=2, ensure_ascii=False)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], indent: str = "") -> str:
    """Columns of text. A column whose name starts with `>` is set to the right."""
    names = [name.removeprefix(RIGHT) for name in columns]
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    lines = []
    for row in [names, *cells]:
        padded = [
            cell.rjust(width) if name.startswith(RIGHT) else cell.ljust(width)
            for cell, width, name in zip(row, widths, columns, strict=True)
        ]
        lines.append(indent + "  ".join(padded).rstrip())
    return "\n".join(lines)


def facts(pairs: Sequence[tuple[str, object]], indent: str = "") -> str:
    """Names and values, one a line."""
    width = max(len(name) for name, _ in pairs)
    return "\n".join(f"{indent}{name.ljust(width)}  {value}" for name, value in pairs)


def gas_money(wei: int) -> str:
    """An amount of the chain's own coin for people; small fees keep three digits."""
    from decimal import Decimal

    value = Decimal(wei).scaleb(-18)
    if value == 0:
        return "0 ETH"
    text = f"{value:.4f}" if value >= 1 else f"{value:.{2 - value.adjusted()}f}"
    return f"{text.rstrip('0').rstrip('.')} ETH"


@contextmanager
def waiting(text: str, *, quiet: bool = False) -> Iterator[None]:
    """Says on the terminal what takes long; nothing where nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


def complain(text: str) -> None:
    """A line on stderr."""
    typer.echo(f"peerwatt: {text}", err=True)
