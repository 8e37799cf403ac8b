"""An audit's findings as Parquet files, for pandas, polars or DuckDB: the tables of `schema`, one file each.

Rows are written while the audit goes on, some tens of thousands at a time: memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any

from peerwatt.audit.history import Block, Transaction
from peerwatt.audit.replay import Replay
from peerwatt.audit.rows import Entry, Row, Rows
from peerwatt.audit.schema import FLAG, INTEGER, MONEY, TABLES, TEXT, TIME, TableSchema
from peerwatt.extras import require
from peerwatt.market.deployment import Deployment
from peerwatt.reference.forgetting import Over

# Of one table, before they are written as one row group.
ROWS_AT_ONCE = 20_000


class ParquetTables:
    """Follows an audit and writes its tables; use it in a `with` block, which ends the files.

    A file has its name only when it is whole; one of an earlier audit stays until then.
    """

    def __init__(self, directory: Path, deployment: Deployment) -> None:
        """
        Raises:
            MissingExtra: pyarrow is not installed.
            OSError: the directory can't be made, or not be written to.
        """
        require("data", "pyarrow.parquet")
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._deployment = deployment
        self._rows: Rows | None = None
        self._files = {table.name: _File(directory, table) for table in TABLES}

    def follow(self, transaction: Transaction, block: Block, replay: Replay) -> None:
        """Takes a transaction that was just done again, and that the replay has not forgotten yet."""
        if self._rows is None:
            self._rows = Rows(self._deployment, replay.market)
        market = replay.market
        self._add(self._rows.of_transaction(transaction, block, market.log, replay.registry.log, market.ledger))

    def close_windows(self, over: Iterable[Over]) -> None:
        """Takes windows that the replay has forgotten."""
        if self._rows is not None:
            self._add(self._rows.of_windows(over))

    def close(self) -> None:
        """Writes what is left, and gives the files their names."""
        if self._rows is not None:
            self._add(self._rows.of_open_windows())
        for file in self._files.values():
            file.close()

    def _add(self, rows: Iterable[Entry]) -> None:
        for name, row in rows:
            self._files[name].add(row)

    def __enter__(self) -> ParquetTables:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            for file in self._files.values():
                file.drop()


class _File:
    """One table on its way to its file."""

    def __init__(self, directory: Path, table: TableSchema) -> None:
        import pyarrow.parquet

        self._arrow = pyarrow
        self._schema = _to_arrow(table)
        self._path = directory / f"{table.name}.parquet"
        self._part = directory / f".{table.name}.parquet.part"
        self._money = [at for at, column in enumerate(table.columns) if column.kind == MONEY]
        self._waiting: list[Row] = []
        self._writer = pyarrow.parquet.ParquetWriter(self._part, self._schema, compression="zstd")

    def add(self, row: Row) -> None:
        self._waiting.append(row)
        if len(self._waiting) == ROWS_AT_ONCE:
            self._write()

    def close(self) -> None:
        self._write()
        self._writer.close()
        self._part.replace(self._path)

    def drop(self) -> None:
        self._writer.close()
        self._part.unlink(missing_ok=True)

    def _write(self) -> None:
        if self._waiting:
            columns: list[Iterable[Any]] = list(zip(*self._waiting, strict=True))
            for at in self._money:
                columns[at] = [None if value is None else Decimal(value) for value in columns[at]]
            kinds = [field.type for field in self._schema]
            arrays = [self._arrow.array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
            self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._waiting = []


def _to_arrow(table: TableSchema) -> Any:
    import pyarrow

    kinds = {
        INTEGER: pyarrow.int64(),
        MONEY: pyarrow.decimal128(38, 0),
        TEXT: pyarrow.string(),
        TIME: pyarrow.timestamp("ms", tz="UTC"),
        FLAG: pyarrow.bool_(),
    }
    fields = [
        pyarrow.field(one.name, kinds[one.kind], one.optional, {"unit": one.unit, "description": one.what})
        for one in table.columns
    ]
    return pyarrow.schema(fields, metadata={"description": f"a row is {table.what}"})
