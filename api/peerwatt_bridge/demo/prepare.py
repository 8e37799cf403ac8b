"""A market on a local chain and a relayer's key with gas money: what a bridge needs before it starts."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from web3 import HTTPProvider, Web3
from web3.types import TxParams

from peerwatt.wallet.keystores import Keystore, create, write_private

MANIFEST, KEYSTORE, PASSWORD = "deployment.json", "keys/relayer", "relayer-password"
# Of the chain's accounts, one that has no role.
PAYER = 8


class StackError(RuntimeError):
    """It did not start. The message says what, why, and where to look."""


@dataclass(frozen=True)
class Relayer:
    """The key that pays the gas."""

    address: str
    keystore: Path
    password: Path


def prepare(rpc: str, folder: Path, window_seconds: int) -> Relayer:
    """Deploys a market and makes the relayer's key, unless both are there.

    Args:
        rpc: of a local chain.
        folder: gets manifest, key and password.
        window_seconds: of the market; a person can wait for a minute.
    Raises:
        StackError: the chain did not do it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / MANIFEST).exists():
        _deploy(rpc, folder, window_seconds)
    keystore, password = folder / KEYSTORE, folder / PASSWORD
    if keystore.exists():
        address = Keystore.open(keystore).address
    else:
        text = secrets.token_urlsafe(24)
        write_private(password, text)
        address = create(keystore.parent, keystore.name, secrets.token_bytes(32), text).address
    assert address is not None
    w3 = Web3(HTTPProvider(rpc))
    payer, payee = list(w3.eth.accounts)[PAYER], Web3.to_checksum_address(address)
    if w3.eth.get_balance(payee) == 0:
        payment: TxParams = {"from": payer, "to": payee, "value": Web3.to_wei(100, "ether")}
        w3.eth.wait_for_transaction_receipt(w3.eth.send_transaction(payment))
    return Relayer(address, keystore, password)


def _deploy(rpc: str, folder: Path, window_seconds: int) -> None:
    """The parameters of local markets, with windows of another length."""
    text = (files("peerwatt.market") / "local.toml").read_text(encoding="utf-8")
    text = text.replace("window_seconds = 900", f"window_seconds = {window_seconds}")
    text = text.replace("lead_seconds = 300", f"lead_seconds = {window_seconds // 3}")
    parameters = folder / "parameters.toml"
    parameters.write_text(text, encoding="utf-8")
    command = ["deploy", "--parameters", str(parameters), "--out", str(folder / MANIFEST), "--yes"]
    done = subprocess.run(
        [sys.executable, "-m", "peerwatt", *command],
        env={**os.environ, "PEERWATT_RPC": rpc},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StackError(f"the market could not be deployed: {(done.stderr or done.stdout).strip()}")
