"""The tables. Addresses, digests and signatures are bytes; energies Wh, money base units, times Unix
milliseconds (`_ms`) or seconds (`_s`)."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    type_coerce,
)

metadata = MetaData()

# An integer that counts up by itself; SQLite does so for INTEGER only.
Id = BigInteger().with_variant(Integer, "sqlite")


class Status(IntEnum):
    """Where an item is on its way. Below `FINAL` it is still on it.

    received: kept, waits for its turn. relayed: in a signed transaction. confirmed: in a block. final: in a block that
    stays. The rest are ends: quarantined and held are never relayed, superseded was done by somebody else, refused the
    market did not take, expired could not be relayed in time.
    """

    RECEIVED = 0
    RELAYED = 1
    CONFIRMED = 2
    FINAL = 10
    QUARANTINED = 20
    HELD = 21
    SUPERSEDED = 22
    REFUSED = 23
    EXPIRED = 24


class RelayState(IntEnum):
    """Where a transaction is: signed and kept, in a block, in a block that stays, or given up."""

    SIGNED = 0
    MINED = 1
    FINAL = 2
    # Another transaction took its nonce, or it failed on the chain.
    LOST = 3
    REVERTED = 4


class Kind(StrEnum):
    """What homes sign beside readings."""

    ORDER = "order"
    CANCEL = "cancel"
    AGENT = "agent"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    RATING = "rating"


meters = Table(
    "meters",
    metadata,
    Column("id", Id, primary_key=True),
    Column("address", LargeBinary(20), nullable=False, unique=True),
    Column("account", LargeBinary(20), nullable=False, index=True),
    Column("import_limit_wh", BigInteger, nullable=False),
    Column("export_limit_wh", BigInteger, nullable=False),
    # Read from the chain at this time; a connection's limits change.
    Column("read_ms", BigInteger, nullable=False),
)

# The newest register of each meter that is good, so that the usual reading is judged without looking further.
registers = Table(
    "registers",
    metadata,
    Column("meter_id", ForeignKey("meters.id"), primary_key=True),
    Column("side", SmallInteger, primary_key=True),
    Column("window", BigInteger, nullable=False),
    Column("register_wh", BigInteger, nullable=False),
)

# A transaction: what it says never changes, but it may be signed again with a higher fee.
relays = Table(
    "relays",
    metadata,
    Column("id", Id, primary_key=True),
    Column("sender", LargeBinary(20), nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("purpose", String(12), nullable=False),
    Column("target", LargeBinary(20), nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("gas", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("mined_hash", LargeBinary(32)),
    Column("block_number", BigInteger),
    Column("block_hash", LargeBinary(32)),
    Column("gas_used", BigInteger),
    # Wei, as text: more than 64 bits.
    Column("cost_wei", String(40)),
    Index("ix_relays_sender", "sender", "nonce"),
)
Index(
    "ix_relays_open",
    relays.c.id,
    sqlite_where=relays.c.state < int(RelayState.FINAL),
    postgresql_where=relays.c.state < int(RelayState.FINAL),
)

readings = Table(
    "readings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("meter_id", ForeignKey("meters.id"), nullable=False),
    Column("side", SmallInteger, nullable=False),
    Column("first_window", BigInteger, nullable=False),
    Column("windows", SmallInteger, nullable=False),
    # Opening register and growths, each a varint (storage/packing.py).
    Column("registers", LargeBinary, nullable=False),
    Column("signature", LargeBinary(64), nullable=False),
    # First 4 bytes of the digest: few readings share them, and the digest itself follows from the row.
    Column("digest_key", Integer, nullable=False, index=True),
    Column("status", SmallInteger, nullable=False),
    Column("reason", String(40)),
    Column("received_s", BigInteger, nullable=False),
    Column("relay_id", ForeignKey("relays.id")),
    Column("place", SmallInteger),
    Index("ix_readings_meter", "meter_id", "side", "first_window"),
)
Index(
    "ix_readings_waiting",
    readings.c.id,
    sqlite_where=readings.c.status == int(Status.RECEIVED),
    postgresql_where=readings.c.status == int(Status.RECEIVED),
)

# Most readings are never relayed.
Index(
    "ix_readings_relay",
    readings.c.relay_id,
    sqlite_where=readings.c.relay_id.is_not(None),
    postgresql_where=readings.c.relay_id.is_not(None),
)

# The first window after a reading. Of the two columns' types, what is compared with it would get the smaller one.
reading_end = type_coerce(readings.c.first_window + readings.c.windows, BigInteger)

acts = Table(
    "acts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("kind", String(12), nullable=False),
    Column("account", LargeBinary(20), nullable=False),
    Column("agent", LargeBinary(20)),
    # The signed message by its signed names, as JSON.
    Column("message", Text, nullable=False),
    Column("signature", LargeBinary(64), nullable=False),
    # The last moment at which the chain takes it.
    Column("deadline_ms", BigInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("reason", String(40)),
    Column("detail", Text),
    Column("received_s", BigInteger, nullable=False),
    Column("relay_id", ForeignKey("relays.id"), index=True),
    Column("place", SmallInteger),
    Index("ix_acts_account", "account", "id"),
)
Index(
    "ix_acts_waiting",
    acts.c.id,
    sqlite_where=acts.c.status == int(Status.RECEIVED),
    postgresql_where=acts.c.status == int(Status.RECEIVED),
)

# What transactions carry.
ITEM_TABLES: dict[str, Table] = {"readings": readings, "acts": acts}

attempts = Table(
    "attempts",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("relay_id", ForeignKey("relays.id"), nullable=False, index=True),
    Column("raw", LargeBinary, nullable=False),
    Column("max_fee_wei", String(40), nullable=False),
    Column("priority_fee_wei", String(40), nullable=False),
    Column("signed_ms", BigInteger, nullable=False),
)

# Two signatures of one meter for one moment that say different registers.
equivocations = Table(
    "equivocations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("meter_id", ForeignKey("meters.id"), nullable=False, index=True),
    Column("side", SmallInteger, nullable=False),
    Column("window", BigInteger, nullable=False),
    Column("first_id", ForeignKey("readings.id"), nullable=False),
    Column("second_id", ForeignKey("readings.id"), nullable=False),
    Column("first_wh", BigInteger, nullable=False),
    Column("second_wh", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    UniqueConstraint("first_id", "second_id"),
)

# What changed, for whoever listens.
notices = Table(
    "notices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("data", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

Index("ix_notices_age", notices.c.at_ms)

# The chain as it was followed: blocks with logs, and the newest one of each look. Times in Unix seconds.
blocks = Table(
    "blocks",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("time_s", BigInteger, nullable=False),
    # How many logs of the market it has; without any it only marks how far the chain was followed.
    Column("logs", Integer, nullable=False),
)

# What market and registry logged. `account` and `window` are there to find it by.
events = Table(
    "events",
    metadata,
    Column("block_number", ForeignKey("blocks.number"), primary_key=True, autoincrement=False),
    Column("log_index", Integer, primary_key=True, autoincrement=False),
    Column("contract", LargeBinary(20), nullable=False),
    Column("transaction_hash", LargeBinary(32), nullable=False),
    Column("name", String(32), nullable=False),
    Column("account", LargeBinary(20)),
    Column("window", BigInteger),
    # By name; words of the contract are integers of up to 256 bits.
    Column("args", Text, nullable=False),
    Index("ix_events_window", "name", "window"),
)

# One row: how far the chain was followed, and up to where it stays.
following = Table(
    "following",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("head_number", BigInteger, nullable=False),
    Column("final_number", BigInteger, nullable=False),
)

commands = Table(
    "commands",
    metadata,
    Column("id", Id, primary_key=True),
    Column("meter_id", ForeignKey("meters.id"), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("first_window", BigInteger),
    Column("last_window", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("acknowledged_ms", BigInteger),
    Column("ok", Boolean),
    Column("detail", Text),
    Index("ix_commands_meter", "meter_id", "id"),
    sqlite_autoincrement=True,
)

# Who does what only one may do, so that several bridges on one database do not double it.
leases = Table(
    "leases",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("holder", String(60), nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)

# What administrators did; rows are only ever added.
administration = Table(
    "administration",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("act", String(40), nullable=False),
    Column("subject", String(80), nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,
)
