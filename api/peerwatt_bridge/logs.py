"""Logs: one JSON object a line on stderr. What could be a secret or could name a person is left out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# A signature, a raw transaction or a key; hashes and addresses are shorter or public on the chain.
_LONG_HEX = re.compile(r"(0x)?[0-9a-fA-F]{100,}")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
SECRETS = ("token", "password", "key", "authorization", "signature", "raw")


def set_up_logs(level: str = "INFO") -> None:
    """Sends structlog's and the standard library's lines to stderr as JSON."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        clean,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.processors.format_exc_info, clean],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("web3", "urllib3", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def clean(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Takes secrets out of a line."""
    for name, value in list(event.items()):
        if any(secret in name.lower() for secret in SECRETS):
            event[name] = "hidden"
        elif isinstance(value, str):
            event[name] = _CREDENTIALS.sub("hidden@", _LONG_HEX.sub("hidden", value))
    return event
