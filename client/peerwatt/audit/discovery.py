"""A market without its manifest: what the chain itself tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from peerwatt import artifacts
from peerwatt.audit.failures import SourceError, SourceIncomplete
from peerwatt.audit.identity import ROLE_ACCEPTED, ROLES
from peerwatt.audit.ranges import Ranges
from peerwatt.audit.transport import Request, RpcError, Transport, ask
from peerwatt.market.deployment import Deployment, MarketNumbers, predict_address
from peerwatt.market.deployment import Roles as Holders
from peerwatt.reference import ZERO_ADDRESS

# Blocks after its registry's in which a market's deployment is looked for, where the node keeps no old states.
NEAR = 512
# How many transactions after the market's its deployer may have deployed the lens.
LENS_AFTER = 3


class NoMarket(ValueError):
    """There is no market at the address."""


def discover(transport: Transport, market: str) -> Deployment:
    """A deployment, read from the chain.

    Returns:
        Without code hashes, since nobody told them; the lens is the zero address where it was not found.
    Raises:
        NoMarket: there is no contract, or one that does not answer as a market does.
        SourceIncomplete: the node does not give enough to find the market's block or its roles.
    """
    address = to_checksum_address(market)
    code = _ask(transport, "eth_getCode", address, "latest")
    if code == "0x":
        raise NoMarket(f"there is no contract at {address} on {transport.name}; check the address and the chain")
    chain_id = int(_ask(transport, "eth_chainId"), 16)
    names = [field.name for field in fields(MarketNumbers)]
    answers = _call(transport, address, ["token", "registry", *names])
    token, registry = (to_checksum_address(f"0x{answer:064x}"[-40:]) for answer in answers[:2])
    born, holders, deployed_in = _find_registry(transport, registry)
    number = _find_block(transport, address, born, deployed_in)
    block = _ask(transport, "eth_getBlockByNumber", hex(number), False)
    if not isinstance(block, dict):
        raise SourceIncomplete(f"{transport.name} does not give block {number}, in which the market was deployed")
    return Deployment(
        chain_id=chain_id,
        market=address,
        registry=registry,
        lens=to_checksum_address(_find_lens(transport, deployed_in)),
        token=token,
        block=number,
        block_hash=str(block["hash"]),
        parameters=MarketNumbers(**dict(zip(names, answers[2:], strict=True))),
        roles=Holders(*(to_checksum_address(holder) for holder in holders)),
        code_hash={},
    )


def _ask(transport: Transport, method: str, *params: Any) -> Any:
    try:
        return ask(transport, method, *params)
    except RpcError as error:
        raise SourceIncomplete(f"{transport.name} does not answer {method}: {error}") from error


def _call(transport: Transport, market: str, getters: Sequence[str]) -> list[int]:
    data = [f"0x{keccak(text=f'{getter}()')[:4].hex()}" for getter in getters]
    requests: list[Request] = [("eth_call", [{"to": market, "data": one}, "latest"]) for one in data]
    words = []
    for getter, answer in zip(getters, transport.many(requests), strict=True):
        if isinstance(answer, RpcError) or not isinstance(answer, str) or len(answer) != 66:
            raise NoMarket(f"the contract at {market} does not tell its {getter}; it is no market of peerwatt")
        words.append(int(answer, 16))
    return words


def _find_registry(transport: Transport, registry: str) -> tuple[int, list[str], dict[str, Any]]:
    """Block, first holders of the roles, and transaction of the registry's deployment: its first logs."""
    last = int(_ask(transport, "eth_blockNumber"), 16)
    query = {"address": registry, "topics": [ROLE_ACCEPTED]}
    logs = _first_logs(transport, query, last)
    if len(logs) < len(ROLES):
        text = f"{transport.name} does not give the logs of registry {registry}'s deployment; give the manifest instead"
        raise SourceIncomplete(text)
    holders = [f"0x{log['topics'][2][-40:]}" for log in logs[: len(ROLES)]]
    deployed_in = _ask(transport, "eth_getTransactionByHash", logs[0]["transactionHash"])
    if not isinstance(deployed_in, dict):
        raise SourceIncomplete(f"{transport.name} does not give transaction {logs[0]['transactionHash']}")
    return int(logs[0]["blockNumber"], 16), holders, deployed_in


def _first_logs(transport: Transport, query: dict[str, Any], last: int) -> list[dict[str, Any]]:
    """The first logs that there are: of the whole chain if the node takes it in one question, else range by range."""
    answer = transport.many([("eth_getLogs", [{**query, "fromBlock": "0x0", "toBlock": hex(last)}])], 2)[0]
    if isinstance(answer, list):
        return answer
    ranges, first = Ranges(), 0
    while first <= last:
        end = ranges.end(first, last)
        answer = transport.many([("eth_getLogs", [{**query, "fromBlock": hex(first), "toBlock": hex(end)}])])[0]
        if isinstance(answer, list):
            if answer:
                return answer
            ranges.took(0)
            first = end + 1
        elif first == end:
            raise SourceIncomplete(f"{transport.name} does not give the logs of block {first}: {answer}")
        else:
            ranges.refused()
    return []


def _find_block(transport: Transport, market: str, born: int, deployed_in: dict[str, Any]) -> int:
    """The market's block: near its registry's, by the deployer's next transaction, or the first one with its code."""
    found = _find_creation(transport, market, born, deployed_in)
    if found is not None:
        return found
    low, high = born, int(_ask(transport, "eth_blockNumber"), 16)
    try:
        while low < high:
            middle = (low + high) // 2
            if ask(transport, "eth_getCode", market, hex(middle)) == "0x":
                low = middle + 1
            else:
                high = middle
    except (RpcError, SourceError) as error:
        text = f"the market's block was not found: {transport.name} keeps no old states ({error}); give the manifest"
        raise SourceIncomplete(text) from error
    return low


def _find_creation(transport: Transport, market: str, born: int, deployed_in: dict[str, Any]) -> int | None:
    sender, nonce = deployed_in["from"], int(deployed_in["nonce"], 16) + 1
    if predict_address(sender, nonce) != market:
        return None
    for first in range(born, born + NEAR, 32):
        requests: list[Request] = [("eth_getBlockByNumber", [hex(number), True]) for number in range(first, first + 32)]
        for block in transport.many(requests):
            if not isinstance(block, dict):
                return None
            for transaction in block["transactions"]:
                if transaction["from"].lower() == sender.lower() and int(transaction["nonce"], 16) == nonce:
                    return int(block["number"], 16)
    return None


def _find_lens(transport: Transport, deployed_in: dict[str, Any]) -> str:
    """The lens that the deployer put up after the market; the zero address if there is none of them."""
    sender, nonce = deployed_in["from"], int(deployed_in["nonce"], 16) + 1
    candidates = [str(predict_address(sender, nonce + later)) for later in range(1, LENS_AFTER + 1)]
    codes = transport.many([("eth_getCode", [candidate, "latest"]) for candidate in candidates])
    lens = artifacts.load("MarketLens")
    for candidate, code in zip(candidates, codes, strict=True):
        if isinstance(code, str) and lens.matches(bytes.fromhex(code[2:])):
            return candidate
    return ZERO_ADDRESS
