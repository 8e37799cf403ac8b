"""An audit's state in a file, so that the next one goes on where this one came to."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import secrets
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from peerwatt.audit.history import Block
from peerwatt.market.deployment import Deployment

FORMAT = "peerwatt audit checkpoint 2"
# Saving takes at most one part in so many of the time.
PATIENCE = 20
# Whose classes a state is made of; besides them there are only the containers below.
PACKAGES = ("peerwatt.reference.", "peerwatt.signing.")
NAMES = ("closed", "delivered", "merit_order", "flows", "replay", "signers")
MODULES = tuple(f"peerwatt.audit.{name}" for name in NAMES)
CONTAINERS = {("collections", "Counter"), ("collections", "defaultdict"), ("builtins", "set"), ("builtins", "dict")}
PREDECESSOR = "predecessor"
Hook = Callable[[bytes], int] | None


class CheckpointError(ValueError):
    """The file is no checkpoint of this market; it must not be written over."""


class Unusable(ValueError):
    """The checkpoint can't be gone on from; the text says why."""


@dataclass(frozen=True)
class Saved:
    """Attributes:
    end: the last block that went into the state.
    state: by name.
    """

    end: Block
    state: dict[str, Any]


class Checkpoint:
    """The file of one market's audit.

    Args:
        path: made when it is first saved, with mode 0600.
        crosschecked: whether two nodes have told the history; one node's state does not stand for two.
        predecessor: the callable in the state that asks the chain; put in again when it is loaded.
    """

    def __init__(self, path: Path, deployment: Deployment, crosschecked: bool, predecessor: Hook = None) -> None:
        self.path = path
        self._predecessor = predecessor
        manifest = json.dumps(asdict(deployment), sort_keys=True)
        self._market = {"chain_id": deployment.chain_id, "market": deployment.market.lower()}
        self._bound = {
            "format": FORMAT,
            "peerwatt": installed_version("peerwatt"),
            "manifest": hashlib.sha256(manifest.encode()).hexdigest(),
            "crosschecked": crosschecked,
        }
        self._saved_at = time.monotonic()
        self._took_s = 0.0

    def load(self) -> Saved | None:
        """What was saved; None if nothing was.

        Raises:
            CheckpointError: the file is another market's, or no checkpoint at all.
            Unusable: it is of another version or manifest, or damaged.
        """
        try:
            head, _, body = self.path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        try:
            header = json.loads(head)
            market = {key: header[key] for key in self._market}
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(f"{self.path} is no checkpoint; name another file") from error
        if market != self._market:
            text = f"{self.path} is of market {market['market']} on chain {market['chain_id']}; name another file"
            raise CheckpointError(text)
        for key, value in self._bound.items():
            if header.get(key) != value:
                raise Unusable(f"its {key} is {header.get(key)!r}, not {value!r}")
        if header.get("sha256") != hashlib.sha256(body).hexdigest():
            raise Unusable("it is damaged")
        try:
            block = header["block"]
            parts = bytes.fromhex(block["hash"]), bytes.fromhex(block["parent_hash"])
            end = Block(block["number"], *parts, block["time_s"])
            state = _Unpickler(io.BytesIO(zlib.decompress(body)), self._predecessor).load()
        except (pickle.UnpicklingError, zlib.error, AttributeError, EOFError, KeyError, TypeError, ValueError) as error:
            raise Unusable(f"it can't be read ({error!r})") from error
        return Saved(end, state)

    def save_now_and_then(self, end: Block, take: Callable[[], dict[str, Any]]) -> bool:
        """Saves if it was not done lately. The larger the state, the rarer."""
        if time.monotonic() - self._saved_at < PATIENCE * self._took_s:
            return False
        self.save(end, take())
        return True

    def save(self, end: Block, state: dict[str, Any]) -> None:
        """Replaces the file, whole or not at all.

        Raises:
            OSError: it can't be written.
        """
        started = time.monotonic()
        content = io.BytesIO()
        _Pickler(content, self._predecessor).dump(state)
        body = zlib.compress(content.getvalue(), 1)
        header = {
            **self._bound,
            **self._market,
            "block": {
                "number": end.number,
                "hash": end.hash.hex(),
                "parent_hash": end.parent_hash.hex(),
                "time_s": end.time_s,
            },
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        try:
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(json.dumps(header).encode() + b"\n" + body)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.path)
        finally:
            beside.unlink(missing_ok=True)
        self._saved_at = time.monotonic()
        self._took_s = self._saved_at - started


class _Pickler(pickle.Pickler):
    """Leaves out the one callable that a state holds."""

    def __init__(self, file: io.BytesIO, predecessor: Hook) -> None:
        super().__init__(file, protocol=5)
        self._predecessor = predecessor

    def persistent_id(self, obj: object) -> str | None:
        return PREDECESSOR if obj is not None and obj is self._predecessor else None


class _Unpickler(pickle.Unpickler):
    """Makes plain values and the records of the market, and calls nothing else whatever the file says."""

    def __init__(self, file: io.BytesIO, predecessor: Hook) -> None:
        super().__init__(file)
        self._predecessor = predecessor

    def persistent_load(self, pid: object) -> Hook:
        if pid != PREDECESSOR:
            raise pickle.UnpicklingError(f"{pid!r} is nothing known")
        return self._predecessor

    def find_class(self, module: str, name: str) -> Any:
        allowed = module.startswith(PACKAGES) or module in MODULES
        if "." not in name and (allowed or (module, name) in CONTAINERS):
            found = getattr(import_module(module), name, None)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is not what a state is made of")
