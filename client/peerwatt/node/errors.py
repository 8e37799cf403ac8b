"""JSON-RPC errors in the words and codes that web3.py, viem, cast and ape recognise (geth's)."""

from __future__ import annotations

from eth_abi import abi
from eth_abi.exceptions import DecodingError

METHOD_TABLE = "docs/node.md"
STARTED = "the chain in the state file has started already; leave out --time, or name another file"
ERROR_STRING = bytes.fromhex("08c379a0")
PANIC = bytes.fromhex("4e487b71")


class NodeError(Exception):
    """The node can't start as asked, or can't do what a local chain can; the text says what to change."""


class NodeSetupError(NodeError):
    """Something that the node needs is missing or wrong: its state file, or the program of its engine."""


class RpcError(Exception):
    """An answer that is an error.

    Attributes:
        code: JSON-RPC code; -32000 for what a chain refuses.
        data: hex data that goes with it, None if there is none.
    """

    code = -32000

    def __init__(self, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.data = data

    def to_json(self) -> dict[str, object]:
        """The error object of a response."""
        error: dict[str, object] = {"code": self.code, "message": str(self)}
        return error if self.data is None else {**error, "data": self.data}


class ParseError(RpcError):
    """The body is not JSON."""

    code = -32700


class InvalidRequest(RpcError):
    """JSON, but no request."""

    code = -32600


class MethodNotFound(RpcError):
    """The method does not exist here."""

    code = -32601

    def __init__(self, method: str) -> None:
        super().__init__(
            f"the method {method} does not exist on the eth-tester engine; "
            f"{METHOD_TABLE} lists those that do, `--engine anvil` has more"
        )


class InvalidParams(RpcError):
    """A parameter that can't be understood."""

    code = -32602


class InternalError(RpcError):
    """A fault of the node itself."""

    code = -32603


class Reverted(RpcError):
    """A contract reverted; `data` is what it gave back."""

    code = 3

    def __init__(self, output: bytes) -> None:
        reason = decode_reason(output)
        text = "execution reverted" if reason is None else f"execution reverted: {reason}"
        super().__init__(text, "0x" + output.hex())


def decode_reason(output: bytes) -> str | None:
    """The text of `Error(string)` or the number of `Panic(uint256)`, None if the data is neither."""
    try:
        if output[:4] == ERROR_STRING:
            return str(abi.decode(["string"], output[4:])[0])
        if output[:4] == PANIC:
            return f"panic code 0x{abi.decode(['uint256'], output[4:])[0]:02x}"
    except (DecodingError, UnicodeDecodeError):
        return None
    return None
