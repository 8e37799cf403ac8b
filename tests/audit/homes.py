"""A village whose homes did everything a proof may have to prove, and the proof files of three of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_account import Account
from eth_utils.crypto import keccak
from typer.testing import CliRunner

from cli.life import end, live
from cli.village import ADA, BOLA, CHIDI, Home, Village
from peerwatt.audit.evidence.file import digest_of, parse
from peerwatt.audit.evidence.making import make_proof
from peerwatt.audit.evidence.verifying import Verification, verify
from peerwatt.audit.participant import ParticipantReport, explain_account
from peerwatt.audit.transport import InProcess, Request, RpcError
from peerwatt.cli.main import app
from peerwatt.market import relay
from peerwatt.node.view import view_node
from peerwatt.signing import BUY, Order, Withdrawal, sign

Json = dict[str, Any]
AGENT_KEY = bytes(keccak(text="peerwatt test agent"))
AGENT = str(Account.from_key(AGENT_KEY).address)


@dataclass(frozen=True)
class Homes:
    """The chain and what was read of it.

    Attributes:
        last: number of the block that all of it is about.
        hash: of this block.
    """

    village: Village
    transport: InProcess
    last: int
    hash: str

    def explain(self, home: Home) -> ParticipantReport:
        return explain_account(self.transport, self.village.deployment, home.account, self.last)

    def prove(self, home: Home, **options: Any) -> Json:
        """A proof file's content."""
        report = self.explain(home)
        transport = options.pop("transport", self.transport)
        story = report.story
        proof = make_proof(transport, story.deployment, story.account, report.pairs, story.history.head, **options)
        content: Json = json.loads(proof.to_json())
        return content


@cache
def make_homes() -> Homes:
    """Made once for all tests; none of them sends anything."""
    village = Village()
    life = live(village)
    gateway, window = village.gateway, life.first + 7
    mandate = AGENT, gateway.now_s() + 86_400, 200, 0, village.money("400 NGN")
    gateway.act(life.account(CHIDI), gateway.registry.functions.authorise(*mandate))
    order = Order(CHIDI.account, CHIDI.meter, BUY, window, window, 900, 100, 2)
    item = relay.OrderItem.from_message(order, sign(order, village.domain, AGENT_KEY), AGENT)
    gateway.relay(village.relayer, item.pack(), strict=True)
    message = Withdrawal(BOLA.account, BOLA.account, village.money("12.345678 NGN"), 0, gateway.now_s() + 3600)
    signature = sign(message, village.domain, BOLA.account_key)
    call = gateway.market.functions.withdraw_signed(
        message.account, message.recipient, message.amount, message.nonce, message.deadline, signature.r, signature.vs
    )
    gateway.act(village.relayer, call)
    end(life)
    village.clear()
    life.due(CHIDI)
    transport = InProcess(view_node(village.chain).answer, "the village")
    last = int(village.w3.eth.block_number)
    return Homes(village, transport, last, village.w3.eth.get_block(last)["hash"].to_0x_hex())


@cache
def proof_text(home: Home) -> str:
    """The proof file of a home."""
    return json.dumps(make_homes().prove(home))


def proof_of(home: Home) -> Json:
    """Its content, to be changed."""
    content: Json = json.loads(proof_text(home))
    return content


def seal(content: Json) -> Json:
    """The content with the digest that it has now, as a forger would write it."""
    return {**content, "digest": digest_of(content)}


def check(content: Json, hashes: Sequence[str] | None = None, hash_of: Any = None) -> Verification:
    """Verifies a content against the village's last block, or other hashes."""
    proof, wrong = parse(content)
    return verify(proof, wrong, [make_homes().hash] if hashes is None else hashes, hash_of)


def without(*methods: str) -> InProcess:
    """The village's node, which refuses some methods."""

    class Less(InProcess):
        def many(self, requests: Sequence[Request], attempts: int | None = None) -> list[Any]:
            answers = make_homes().transport.many([one for one in requests if one[0] not in methods])
            given = iter(answers)
            refusal = RpcError(-32601, "no such method")
            return [refusal if method in methods else next(given) for method, _ in requests]

    return Less(lambda method, params: None, "a small node")


def type_command(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `peerwatt` with arguments."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "300"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def leaves(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the strings of a content are."""
    if isinstance(content, str):
        return [path]
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [leaf for key, value in items for leaf in leaves(value, (*path, key))]


def change(content: Json, path: tuple[Any, ...], how: Callable[[Any], Any]) -> Json:
    """Changes one value in place; returns the content."""
    *where, last = path
    parent: Any = content
    for key in where:
        parent = parent[key]
    parent[last] = how(parent[last])
    return content


__all__ = ["ADA", "AGENT", "BOLA", "CHIDI"]
