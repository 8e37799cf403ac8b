"""What runs the contracts' bytecode: py-evm, through titanoboa, or revm, which shares no line with it and is much
faster.

Tests run on py-evm, where coverage is counted; long campaigns on revm. Both run what titanoboa compiles. A call is
a transaction of its own: sent from outside, at the engine's time, with transient storage empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

import boa
from boa.util.abi import Address
from eth._utils.address import generate_contract_address
from eth.constants import ZERO_HASH32
from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple
from vyper.compiler.output import build_abi_output

# As on titanoboa's chain.
GAS_LIMIT = 200_000_000
CHAIN_ID = 1


class RawLog(NamedTuple):
    """An event, undecoded. `address` is in lower case."""

    address: str
    topics: Sequence[bytes]
    data: bytes


class Answer(NamedTuple):
    """What a call came to: `error` is None, or what the engine calls a failure; `output` is returned or reverted."""

    output: bytes
    error: str | None
    logs: list[RawLog]
    gas: int


class Engine(Protocol):
    """A chain of one's own, without blocks: only time passes. `now` is the time of the next call [Unix s]."""

    now: int

    @property
    def chain_id(self) -> int: ...

    @property
    def storage(self) -> Callable[[str, int], int]:
        """Reads a word of a contract's storage: of an address and a slot."""

    def write_storage(self, address: str, slot: int, word: int) -> None:
        """Puts a word into a contract's storage, past the contract."""

    def anchor(self) -> Any:
        """A context at whose end everything is as it was."""

    def address_after(self, count: int, sender: str) -> str:
        """Where to put the contract that is deployed after `count` others."""

    def deploy(self, deployer: Any, arguments: Sequence[Any], sender: str, at: str | None = None) -> Any:
        """A new contract, with `address`, `abi` and `compiler_data`. `at` comes from `address_after`."""

    def call(self, to: Any, sender: str, data: bytes, *, static: bool) -> Answer:
        """A call of a deployed contract; its state changes stay unless it fails."""


class PyEvm:
    """titanoboa's chain, which all tests of a session share."""

    @property
    def chain_id(self) -> int:
        return int(boa.env.evm.patch.chain_id)

    @property
    def now(self) -> int:
        return int(boa.env.evm.patch.timestamp)

    @now.setter
    def now(self, time_s: int) -> None:
        boa.env.evm.patch.timestamp = time_s

    def anchor(self) -> Any:
        return boa.env.anchor()

    def address_after(self, count: int, sender: str) -> str:
        return str(boa.env.generate_address())

    def deploy(self, deployer: Any, arguments: Sequence[Any], sender: str, at: str | None = None) -> Any:
        with boa.env.prank(sender):
            return deployer.deploy(*arguments, override_address=at)

    def call(self, to: Any, sender: str, data: bytes, *, static: bool) -> Answer:
        # titanoboa runs calls, not transactions.
        boa.env.evm.vm.state.clear_transient_storage()
        computation = boa.env.execute_code(
            to_address=to.address,
            sender=sender,
            data=data,
            is_modifying=not static,
            # Only coverage needs to know which source ran.
            contract=to if boa.env._coverage_enabled else None,
        )
        error = repr(computation.error) if computation.is_error else None
        logs = [
            RawLog("0x" + address.hex(), [topic.to_bytes(32, "big") for topic in topics], data)
            for address, topics, data in (() if error else computation.get_log_entries())
        ]
        return Answer(bytes(computation.output), error, logs, computation.get_gas_used())

    def storage(self, address: str, slot: int) -> int:
        return int(boa.env.evm.get_storage(Address(address), slot))

    def write_storage(self, address: str, slot: int, word: int) -> None:
        boa.env.evm.set_storage(Address(address), slot, word)


@dataclass(frozen=True)
class Deployed:
    """A contract on revm."""

    address: str
    compiler_data: Any

    @property
    def abi(self) -> Any:
        return _abi_of(self.compiler_data)


@cache
def _abi_of(compiler_data: Any) -> Any:
    return build_abi_output(compiler_data)


class Revm:
    """A chain of its own in revm (Rust), for one market."""

    def __init__(self) -> None:
        # Here, since there is none for Python 3.13.
        import pyrevm

        self._block = pyrevm.BlockEnv
        configuration = pyrevm.CfgEnv(chain_id=CHAIN_ID)
        self._evm = pyrevm.EVM(pyrevm.Env(cfg=configuration), gas_limit=GAS_LIMIT, spec_id="CANCUN")
        # Read hundreds of times for each call.
        self.storage: Callable[[str, int], int] = self._evm.storage
        self.now = 0

    @property
    def chain_id(self) -> int:
        return CHAIN_ID

    @property
    def now(self) -> int:
        return self._now

    @now.setter
    def now(self, time_s: int) -> None:
        self._now = time_s
        self._evm.set_block_env(self._block(timestamp=time_s, prevrandao=ZERO_HASH32))

    @contextmanager
    def anchor(self) -> Iterator[None]:
        before, checkpoint = self.now, self._evm.snapshot()
        try:
            yield
        finally:
            self._evm.revert(checkpoint)
            self.now = before

    def address_after(self, count: int, sender: str) -> str:
        nonce = self._evm.basic(sender).nonce + count
        return str(Address(generate_contract_address(bytes.fromhex(sender[2:]), nonce)))

    def deploy(self, deployer: Any, arguments: Sequence[Any], sender: str, at: str | None = None) -> Deployed:
        data = deployer.compiler_data
        inputs = next((entry["inputs"] for entry in _abi_of(data) if entry["type"] == "constructor"), ())
        code = data.bytecode + encode([collapse_if_tuple(item) for item in inputs], arguments)
        deployed = Deployed(str(Address(self._evm.deploy(sender, code))), data)
        if at not in (None, deployed.address):
            raise AssertionError(f"deployed at {deployed.address}, not at {at}")
        return deployed

    def write_storage(self, address: str, slot: int, word: int) -> None:
        self._evm.insert_account_storage(address, slot, word)

    def call(self, to: Any, sender: str, data: bytes, *, static: bool) -> Answer:
        evm = self._evm
        # pyrevm keeps one transaction open for ever.
        evm.reset_transient_storage()
        try:
            output = evm.message_call(sender, to.address, data, is_static=static)
        except RuntimeError as error:
            return Answer(_reverted(str(error)), str(error), [], evm.result.gas_used)
        result = evm.result
        return Answer(output, None, [RawLog(log.address.lower(), *log.data) for log in result.logs], result.gas_used)


def _reverted(error: str) -> bytes:
    """What a call reverted with; pyrevm gives it only in its error's text."""
    kind, _, rest = error.partition(" { ")
    if kind == "Halt":
        return b""
    if kind != "Revert":
        raise RuntimeError(error)
    return bytes.fromhex(rest.partition("output: 0x")[2].rstrip(" }"))


def installed() -> list[str]:
    """The names of the engines that are installed, the fastest last."""
    return ["py-evm", "revm"] if find_spec("pyrevm") else ["py-evm"]


def fastest() -> str:
    """The name of the fastest engine that is installed."""
    return installed()[-1]


ENGINES = ("py-evm", "revm")
PY_EVM = PyEvm()
