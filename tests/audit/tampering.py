"""Nodes that lie about an honest market, manifests that are forged, and storage that is written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from eth_utils.crypto import keccak

from audit.script import Script
from peerwatt.audit.encoding import event_name
from peerwatt.audit.failures import RpcFailed
from peerwatt.audit.transport import Request, RpcError, Transport
from peerwatt.market.deployment import Deployment

Json = dict[str, Any]
# Changes an answer: gets method, parameters and what an honest node says.
Lie = Callable[[str, list[Any], Any], Any]
TRANSFER = f"0x{keccak(text='Transfer(address,address,uint256)').hex()}"
REPLAY = "replay"


@dataclass
class Liar:
    """A node that lies."""

    honest: Transport
    lie: Lie
    name: str = "a lying node"

    def many(self, requests: Sequence[Request], attempts: int | None = None) -> list[Any]:
        answers = self.honest.many(requests, attempts)
        return [
            self.lie(method, params, answer if isinstance(answer, RpcError) else deepcopy(answer))
            for (method, params), answer in zip(requests, answers, strict=True)
        ]


@dataclass(frozen=True)
class Place:
    """A log of the script.

    Attributes:
        raw: as the node tells it.
    """

    raw: Json

    @property
    def block(self) -> int:
        return int(self.raw["blockNumber"], 16)

    @property
    def transaction(self) -> str:
        return str(self.raw["transactionHash"])

    @property
    def index(self) -> int | None:
        """None where a check tells of the transaction, and of none of its logs."""
        return None if self.raw["logIndex"] is None else int(self.raw["logIndex"], 16)


@dataclass
class Scene:
    """The script, and where things are in it."""

    script: Script
    logs: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        chain = self.script.chain
        query = {"fromBlock": hex(self.script.manifest.block + 1), "toBlock": "latest"}
        self.logs = chain.node.answer("eth_getLogs", [query])

    @property
    def manifest(self) -> Deployment:
        return self.script.manifest

    def acts(self, act: str) -> list[str]:
        """Hashes of the transactions of an act."""
        chain = self.script.chain
        hashes = [
            f"0x{transaction.hash.hex()}"
            for number in range(self.manifest.block + 2, chain.chain.height + 1)
            for transaction in chain.chain.block(number).transactions  # type: ignore[union-attr]
        ]
        return [one for one, sent in zip(hashes, chain.sent, strict=True) if sent.label == act]

    def log(self, event: str, act: str | None = None, nth: int = 0) -> Place:
        """The nth log of a name, of an act or of all."""
        hashes = None if act is None else self.acts(act)
        found = [
            log
            for log in self.logs
            if event_name(bytes.fromhex(log["topics"][0][2:])).startswith(event)
            or (event == "Transfer" and log["topics"][0] == TRANSFER)
            if hashes is None or log["transactionHash"] in hashes
        ]
        return Place(found[nth])


def same(one: Json, place: Place) -> bool:
    """Whether an entry is about the place of a log."""
    return (one["blockNumber"], one["logIndex"]) == (place.raw["blockNumber"], place.raw["logIndex"])


def in_logs(place: Place, change: Callable[[Json], list[Json]]) -> Lie:
    """Something else in the place of a log."""

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method != "eth_getLogs" or not isinstance(answer, list):
            return answer
        return [told for log in answer for told in (change(log) if same(log, place) else [log])]

    return lie


def with_data(log: Json, word: int, change: Callable[[int], int]) -> Json:
    """A log with another word in its data."""
    data = bytearray.fromhex(log["data"][2:])
    at = word * 32 if word >= 0 else len(data) + word * 32
    value = int.from_bytes(data[at : at + 32], "big")
    data[at : at + 32] = change(value).to_bytes(32, "big")
    return {**log, "data": f"0x{data.hex()}"}


def one_more(place: Place, word: int = -1) -> Lie:
    """A word of a log's data that is one too much."""
    return in_logs(place, lambda log: [with_data(log, word, lambda value: value + 1)])


def other_topic(place: Place, topic: int, text: str) -> Lie:
    def change(log: Json) -> list[Json]:
        return [{**log, "topics": [text if at == topic else one for at, one in enumerate(log["topics"])]}]

    return in_logs(place, change)


def without(*hashes: str) -> Lie:
    """All logs of transactions are kept back, the token's too."""

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method != "eth_getLogs" or not isinstance(answer, list):
            return answer
        return [log for log in answer if log["transactionHash"] not in hashes]

    return lie


def swapped(one: Place, two: Place) -> Lie:
    """Two logs in each other's place."""

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method != "eth_getLogs" or not isinstance(answer, list):
            return answer
        content = {True: two.raw, False: one.raw}
        return [
            {**log, **{key: content[same(log, one)][key] for key in ("topics", "data")}}
            if same(log, one) or same(log, two)
            else log
            for log in answer
        ]

    return lie


def in_transaction(wanted: str, **fields: Any) -> Lie:
    """A transaction with other fields."""

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        return {**answer, **fields} if method == "eth_getTransactionByHash" and params[0] == wanted else answer

    return lie


def in_block(number: int, **fields: Callable[[str], str]) -> Lie:
    """A header with other fields."""

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if not method.startswith("eth_getBlockBy") or not answer or int(answer["number"], 16) != number:
            return answer
        return {**answer, **{key: change(answer[key]) for key, change in fields.items()}}

    return lie


def in_view(contract: str, text: str, *arguments: str, change: Callable[[int], int] | None) -> Lie:
    """Another word of a getter, of a node that takes no bundles of them; refused if None."""
    data = keccak(text=text)[:4].hex() + "".join(one[2:].lower().rjust(64, "0") for one in arguments)

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_call" and "to" not in params[0]:
            return RpcError(-32602, "a call needs a receiver")
        if method != "eth_call" or params[0]["to"].lower() != contract.lower() or params[0]["data"] != f"0x{data}":
            return answer
        return RpcError(-32000, "missing trie node") if change is None else f"0x{change(int(answer, 16)):064x}"

    return lie


def answering(method_: str, answer_: Any) -> Lie:
    """Another answer to a method."""
    return lambda method, params, answer: answer_ if method == method_ else answer


def gone(method_: str) -> Lie:
    """No answer to a method, ever."""

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method == method_:
            raise RpcFailed(f"a lying node does not answer {method} in 30 s")
        return answer

    return lie


def narrow(largest: int) -> Lie:
    """Few blocks at a time, as a node that is asked too much gives them."""

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getLogs" and int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) >= largest:
            return RpcError(-32005, "rate limited; the range is too large")
        return answer

    return lie


def pruned(number: int) -> Lie:
    """Logs of a block that nobody has any more."""

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method != "eth_getLogs":
            return answer
        one = params[0]
        asked = (
            range(number, number + 1)
            if "blockHash" in one
            else range(int(one["fromBlock"], 16), int(one["toBlock"], 16) + 1)
        )
        return RpcError(-32000, "history has been pruned") if number in asked else answer

    return lie


@dataclass(frozen=True)
class Tampering:
    """A lie, and what an audit must say about it.

    Attributes:
        name: for people.
        make: the lie.
        check: named check that finds it; "replay" for the replay; "" where the audit can't be made or there is no
            check, but a contradiction.
        tells: pattern of what it finds.
        at: log at which the replay or the contradiction stops.
        forge: another manifest.
        exit_code: of the audit.
    """

    name: str
    make: Callable[[Scene], Lie] = lambda scene: lambda method, params, answer: answer
    check: str = REPLAY
    tells: str = ""
    at: Callable[[Scene], Place] | None = None
    forge: Callable[[Scene], Deployment] | None = None
    exit_code: int = 1


def changed(event: str, act: str | None = None, nth: int = 0, word: int = -1) -> Tampering:
    """One word of a log."""
    return Tampering(
        f"a {event} with another word",
        lambda scene: one_more(scene.log(event, act, nth), word),
        at=lambda scene: scene.log(event, act, nth),
        tells=event,
    )


def forged(name: str, check: str, tells: str, **fields: Any) -> Tampering:
    """A manifest with other fields."""

    def forge(scene: Scene) -> Deployment:
        manifest = scene.manifest
        inner = {
            key: replace(getattr(manifest, key), **value) if isinstance(value, dict) and key != "code_hash" else value
            for key, value in fields.items()
        }
        return replace(manifest, **inner)

    return Tampering(f"a manifest with another {name}", check=check, tells=tells, forge=forge)
