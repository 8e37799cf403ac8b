"""Settings of a bridge: from `PEERWATT_BRIDGE_...` in the environment, else from a `.env` file, else defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

KIB = 1024


class Settings(BaseSettings):
    """All settings of one bridge. Times in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(
        env_prefix="PEERWATT_BRIDGE_", env_file=".env", env_file_encoding="utf-8", extra="ignore"
    )

    # Where things are.
    rpc: Annotated[str, Field(description="JSON-RPC node.")] = "http://127.0.0.1:8545"
    deployment: Annotated[Path, Field(description="Manifest of the market.")] = Path("deployment.json")
    database: Annotated[str, Field(description="SQLAlchemy URL; PostgreSQL by postgresql+pg8000://...")] = (
        "sqlite:///bridge.db"
    )
    database_busy_s: Annotated[
        float, Field(ge=0, description="How long SQLite waits for another writer before it gives up.")
    ] = 15
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8750

    # Who pays the gas. This key can do nothing else.
    relayer: Annotated[
        Path | None, Field(description="Keystore of the key that pays the gas; without it nothing is relayed.")
    ] = None
    relayer_password_file: Path | None = None
    keep: Annotated[bool, Field(description="Clear windows and settle what is due, like `peerwatt keeper`.")] = True
    low_balance_wei: Annotated[int, Field(ge=0, description="Below it the relayer's balance raises an alert.")] = (
        50_000_000_000_000_000
    )

    # When something is final, and how patient the bridge is.
    confirmations: Annotated[
        int | None, Field(ge=0, description="Blocks on top after which a block is final; unset: as the node says.")
    ] = None
    tick_s: Annotated[float, Field(gt=0, description="How often each worker looks.")] = 0.5
    resend_s: Annotated[float, Field(gt=0, description="A transaction not mined by then is sent again.")] = 30
    node_timeout_s: Annotated[float, Field(gt=0)] = 10
    clock_tolerance_s: Annotated[int, Field(ge=0, description="How far ahead a meter's clock may be.")] = 5
    growth_margin_percent: Annotated[
        int, Field(ge=0, description="Growth above the connection's limit that is no jump yet.")
    ] = 20

    # What a stranger may ask of it.
    max_body_bytes: Annotated[int, Field(ge=KIB)] = 1024 * KIB
    max_readings: Annotated[int, Field(ge=1, le=10_000)] = 500
    requests_per_minute: Annotated[int, Field(ge=1, description="Per client address.")] = 1_200
    max_streams: Annotated[int, Field(ge=1, description="Who may listen to the events at once.")] = 500
    items_per_home_per_day: Annotated[int, Field(ge=1, description="Readings and acts of one home.")] = 2_000
    allowed_origins: Annotated[
        tuple[str, ...], NoDecode, Field(description="Web origins that may call the bridge, by commas; none else.")
    ] = ()
    admin_token: Annotated[SecretStr | None, Field(description="Unset: no administrative act is possible.")] = None

    log_level: str = "INFO"
    public_url: Annotated[str | None, Field(description="As homes reach it, for links; else what they asked.")] = None

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def split_origins(cls, value: object) -> object:
        """`https://a.example, https://b.example` as two origins."""
        if isinstance(value, str):
            return tuple(origin.strip().rstrip("/") for origin in value.split(",") if origin.strip())
        return value
