"""The table of methods, and what they work on."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from eth_typing import Address

from peerwatt.node.accounts import dev_accounts
from peerwatt.node.chain import LocalChain
from peerwatt.node.errors import InternalError, InvalidParams, MethodNotFound, RpcError
from peerwatt.node.logs import LogIndex, Watches

Method = Callable[..., Any]
METHODS: dict[str, Method] = {}


@dataclass
class Node:
    """A chain and what a node keeps beside it.

    Attributes:
        keys: private keys of the unlocked accounts.
        impersonated: accounts that may send without a key.
        impersonate_all: every account may.
    """

    chain: LocalChain
    keys: dict[Address, str] = field(
        default_factory=lambda: {Address(bytes.fromhex(one.address[2:])): one.key for one in dev_accounts()}
    )
    impersonated: set[Address] = field(default_factory=set)
    impersonate_all: bool = False

    def __post_init__(self) -> None:
        self.logs = LogIndex(self.chain)
        self.watches = Watches(self.chain, self.logs)
        self.version = f"peerwatt/{version('peerwatt')}/eth-tester-{version('eth-tester')}/py-evm-{version('py-evm')}"

    def answer(self, method: str, params: list[Any]) -> Any:
        """The result of a method.

        Raises:
            RpcError: there is no such method, or it refuses.
        """
        function = METHODS.get(method)
        if function is None:
            raise MethodNotFound(method)
        try:
            inspect.signature(function).bind(self, *params)
        except TypeError:
            raise InvalidParams(f"{_usage(method, function)}; got {len(params)} parameters") from None
        try:
            return function(self, *params)
        except RpcError:
            raise
        except Exception as error:
            # A fault of the node: the client gets one line, whoever runs the node the rest.
            traceback.print_exc(file=sys.stderr)
            raise InternalError(f"{method} failed ({type(error).__name__}: {error}); report this as a bug") from error


def _usage(method: str, function: Method) -> str:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    names = [p.name if p.default is inspect.Parameter.empty else f"[{p.name}]" for p in parameters]
    return f"{method} takes ({', '.join(names)})"


def method(*names: str) -> Callable[[Method], Method]:
    """Registers a method under its names."""

    def register(function: Method) -> Method:
        for name in names:
            assert name not in METHODS, name
            METHODS[name] = function
        return function

    return register
