"""The table of what nodes and manifests can lie about."""

from __future__ import annotations

from typing import Any

from audit.tampering import (
    TRANSFER,
    Lie,
    Place,
    Scene,
    Tampering,
    answering,
    changed,
    forged,
    gone,
    in_block,
    in_logs,
    in_transaction,
    in_view,
    narrow,
    one_more,
    other_topic,
    pruned,
    swapped,
    without,
)
from twin import NETWORK, STRANGER

FULL, SHORT, DUE, SILENT = (
    "a report of full delivery",
    "a report of a shortfall",
    "what is due",
    "silent sellers",
)
TOGETHER, LAST, SIGNED = "two withdrawals in one block", "a last withdrawal", "a signed withdrawal"
FALSE_HASH = "0x" + "ab" * 32


def topic(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")


def moved(scene: Scene) -> Place:
    """A withdrawal's log, in the transaction before it in the same block."""
    before, log = (scene.log("Withdrawn", TOGETHER, nth).raw for nth in (0, 1))
    return Place({**log, **{key: before[key] for key in ("transactionHash", "transactionIndex")}})


def open_entry(scene: Scene) -> tuple[str, str]:
    """Slot and level of an entry for a window to come."""
    chidi = scene.script.chidi
    order = scene.script.market.order(chidi.low, chidi.nonce % 16)
    assert order.single and order.first > scene.script.market.book_state.cleared
    return f"0x{order.first % 256:x}", f"0x{order.effective_level:x}"


def another_transfer(scene: Scene, sender: str, receiver: str) -> Lie:
    """A token's log that never was, beside one that was."""
    place = scene.log("Transfer", LAST)
    # With the index of a log that was, so that only its content is new.
    false = {**place.raw, "topics": [TRANSFER, topic(sender), topic(receiver)], "logIndex": hex(place.index + 7)}

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method != "eth_getLogs" or params[0]["address"] != place.raw["address"].lower():
            return answer
        asked = [None if one is None else one.lower() for one in params[0]["topics"]]
        matches = all(one in (None, two) for one, two in zip(asked, false["topics"], strict=False))
        return [*answer, false] if matches else answer

    return lie


EVENTS = (
    changed("TariffSet"),
    changed("RetailSet"),
    changed("FeederSet"),
    changed("Enrolled", word=0),
    changed("ParticipantBound"),
    changed("RatedSet"),
    changed("AgentSet"),
    changed("OrderPlaced", "orders for window A", 3),
    changed("OrderCancelled", "a cancel"),
    changed("ItemSkipped", "an order beyond the envelope"),
    changed("WindowCleared", "window A is cleared", word=0),
    changed("ReportSettled", FULL, word=1),
    changed("DueSettled", DUE, 1),
    changed("FundsCredited", SHORT),
    changed("BookJumped", "four idle days are cleared", word=0),
    changed("ParticipantRevoked", "a meter is revoked"),
    changed("WindowClosed", SILENT),
    changed("Withdrawn", SIGNED),
)
LOGS = (
    Tampering(
        "a report with other growths",
        lambda scene: one_more(scene.log("ReportSettled", SHORT)),
        at=lambda scene: scene.log("ReportSettled", SHORT),
        tells="growths",
    ),
    Tampering(
        "a deposit of one unit more",
        lambda scene: one_more(scene.log("Deposited")),
        "tokens",
        "10000000001 deposited by {ada}, and the token moved none",
        at=lambda scene: Place({**scene.log("Deposited").raw, "logIndex": None}),
    ),
    Tampering(
        "an order of somebody else",
        lambda scene: other_topic(scene.log("OrderPlaced", "orders for window B", 1), 1, topic(STRANGER.address)),
        at=lambda scene: scene.log("OrderPlaced", "orders for window B", 1),
        tells="account {stranger}",
    ),
    Tampering(
        "a log of another event",
        lambda scene: other_topic(scene.log("DueSettled", DUE), 0, FALSE_HASH),
        at=lambda scene: scene.log("DueSettled", DUE),
        tells="unknown event",
    ),
    Tampering(
        "a log dropped",
        lambda scene: in_logs(scene.log("OrderPlaced", "orders for window A", 2), lambda log: []),
        at=lambda scene: scene.log("OrderPlaced", "orders for window A", 3),
        tells="OrderPlaced",
    ),
    Tampering(
        "the last log of a transaction dropped",
        lambda scene: in_logs(scene.log("FundsCredited", DUE), lambda log: []),
        at=lambda scene: scene.log("DueSettled", DUE, 1),
        tells="no such log",
    ),
    Tampering(
        "a log doubled, in one place",
        lambda scene: in_logs(scene.log("DueSettled", DUE), lambda log: [log, log]),
        "",
        "gives a log twice",
        at=lambda scene: scene.log("DueSettled", DUE),
    ),
    Tampering(
        "two logs of a transaction reordered",
        lambda scene: swapped(scene.log("DueSettled", DUE), scene.log("DueSettled", DUE, 1)),
        at=lambda scene: scene.log("DueSettled", DUE),
        tells="DueSettled",
    ),
    Tampering(
        "a log moved to another transaction",
        lambda scene: in_logs(scene.log("Withdrawn", TOGETHER, 1), lambda log: [moved(scene).raw]),
        at=moved,
        tells="no log",
    ),
    Tampering(
        "a log moved to another block",
        lambda scene: in_logs(
            scene.log("Withdrawn", LAST),
            lambda log: [{**log, "blockNumber": hex(scene.log("DueSettled", DUE).block + 11)}],
        ),
        "",
        "gives a log with block hash",
    ),
    Tampering(
        "a log that is called removed",
        lambda scene: in_logs(scene.log("Withdrawn", LAST), lambda log: [{**log, "removed": True}]),
        "",
        "gives a log that it calls removed",
        at=lambda scene: scene.log("Withdrawn", LAST),
    ),
    Tampering(
        "a transaction dropped",
        lambda scene: without(*scene.acts(SHORT)),
        at=lambda scene: scene.log("WindowClosed", SILENT, 1),
        tells="WindowClosed",
    ),
    Tampering(
        "an enrolment dropped",
        lambda scene: without(scene.acts("homes")[0]),
        at=lambda scene: scene.log("OrderPlaced", "orders for window A"),
        tells="not enrolled",
    ),
    Tampering(
        "the last transaction dropped",
        lambda scene: without(*scene.acts(LAST)),
        "storage",
        "EnergyMarket.wallets({chidi}) is ",
    ),
)
CALLS = (
    Tampering(
        "calldata changed",
        lambda scene: in_transaction(scene.acts(LAST)[0], input="0x00f714ce" + "00" * 63 + "01" + "00" * 32),
        at=lambda scene: scene.log("Withdrawn", LAST),
        tells="refused: ",
    ),
    Tampering(
        "a sender changed",
        lambda scene: in_transaction(scene.acts("a mandate")[0], **{"from": STRANGER.address}),
        at=lambda scene: scene.log("AgentSet"),
        tells="AgentSet",
    ),
    Tampering(
        "a sender of no consequence changed",
        lambda scene: in_transaction(scene.acts(DUE)[0], **{"from": NETWORK.address}),
        "transactions",
        "hash and sender do not follow from its content",
    ),
    Tampering(
        "a gas price changed",
        lambda scene: in_transaction(scene.acts(LAST)[0], maxFeePerGas="0x1"),
        "transactions",
        "hash and sender do not follow from its content",
    ),
    Tampering(
        "a signature stripped",
        lambda scene: in_transaction(scene.acts(DUE)[0], r="0x0", s="0x0"),
        "transactions",
        "the node gave no signature of 1 transactions",
        exit_code=3,
    ),
)
BLOCKS = (
    Tampering(
        "a block that comes a second later",
        lambda scene: in_block(scene.log("DueSettled", DUE).block, timestamp=lambda text: hex(int(text, 16) + 1)),
        "",
        "gives a header that hashes to",
    ),
    Tampering(
        "a block with another hash",
        lambda scene: in_block(scene.log("DueSettled", DUE).block, hash=lambda text: FALSE_HASH),
        "",
        "gives a header that hashes to",
    ),
    Tampering(
        "a block with another parent",
        lambda scene: in_block(scene.log("DueSettled", DUE).block, parentHash=lambda text: FALSE_HASH),
        "",
        "before one whose parent is",
    ),
    Tampering(
        "another chain", lambda scene: answering("eth_chainId", "0x1"), "", "serves chain 1, the market is on 31337"
    ),
    Tampering(
        "logs that never come", lambda scene: gone("eth_getLogs"), "", "does not answer eth_getLogs", exit_code=3
    ),
    Tampering("blocks that never come", lambda scene: gone("eth_getBlockByNumber"), "", "does not answer", exit_code=3),
    Tampering("a node that is asked too much", lambda scene: narrow(3), "", exit_code=0),
    Tampering(
        "a block whose logs are pruned",
        lambda scene: pruned(scene.log("Deposited").block),
        "",
        ": history has been pruned",
        exit_code=3,
    ),
    Tampering(
        "a transaction that nobody has",
        lambda scene: (
            lambda method, params, answer: (
                None
                if method in ("eth_getTransactionByHash", "eth_getTransactionByBlockHashAndIndex")
                and answer is not None
                and answer["hash"] == scene.acts(DUE)[0]
                else answer
            )
        ),
        "",
        "does not give transaction 0x",
        exit_code=3,
    ),
)
STATE = (
    Tampering(
        "a balance changed in a view",
        lambda scene: in_view(
            scene.manifest.market, "wallets(address)", scene.script.ada.low, change=lambda word: word + 1
        ),
        "storage",
        "EnergyMarket.wallets({ada}) is ",
    ),
    Tampering(
        "the result of a window that is over changed in a view",
        lambda scene: in_view(
            scene.manifest.market,
            "results(uint256)",
            scene.log("WindowClosed", SILENT).raw["topics"][1],
            change=lambda word: word + 1,
        ),
        "storage",
        "EnergyMarket.results(",
    ),
    Tampering(
        "a book changed in a view",
        lambda scene: in_view(
            scene.manifest.market, "entries(uint256,uint256)", *open_entry(scene), change=lambda word: word + (1 << 112)
        ),
        "storage",
        "EnergyMarket: bid and offer of window ",
    ),
    Tampering(
        "the market's tokens changed in a view",
        lambda scene: in_view(
            scene.manifest.token, "balanceOf(address)", scene.manifest.market, change=lambda word: word + 1
        ),
        "storage",
        "SettlementToken.balanceOf({market}) is ",
    ),
    Tampering(
        "a view refused",
        lambda scene: in_view(scene.manifest.market, "wallets(address)", scene.script.ada.low, change=None),
        "storage",
        "1 words were refused: missing trie node",
        exit_code=3,
    ),
    Tampering(
        "other code",
        lambda scene: (
            lambda method, params, answer: (
                answer[:-2] + "00" if method == "eth_getCode" and params[0] == scene.manifest.market else answer
            )
        ),
        "code_is_the_manifests",
        "EnergyMarket at ",
    ),
    Tampering(
        "a transfer of tokens dropped",
        lambda scene: in_logs(scene.log("Transfer", SIGNED), lambda log: []),
        "tokens",
        "1000 withdrawn to {ada}, and the token moved none",
    ),
    Tampering(
        "a transfer of tokens out added",
        lambda scene: another_transfer(scene, scene.manifest.market, STRANGER.address),
        "tokens",
        "12345 tokens left the market for {stranger} without a withdrawal",
    ),
    Tampering(
        "a transfer of tokens in added",
        lambda scene: another_transfer(scene, STRANGER.address, scene.manifest.market),
        "storage",
        "SettlementToken.balanceOf({market}) is ",
    ),
)
MANIFESTS = (
    forged("tolerance", "code_is_shipped", "parameters.tolerance_bps is ", parameters={"tolerance_bps": 201}),
    forged("price step", "code_is_shipped", "parameters.price_step is ", parameters={"price_step": 501}),
    forged("operator", "roles_are_the_manifests", "the operator was ", roles={"operator": STRANGER.address}),
    forged(
        "network account",
        "roles_are_the_manifests",
        "the network account was ",
        roles={"network_account": STRANGER.address},
    ),
    forged("hash of the code", "code_is_the_manifests", "EnergyMarket at ", code_hash={"EnergyMarket": FALSE_HASH}),
    forged("block", "", "the manifest says", block=40),
    forged("hash of its block", "", "the manifest says 0xabab", block_hash=FALSE_HASH),
    forged("token", "code_is_shipped", "parameters.token is ", token=STRANGER.address),
    forged("lens", "code_is_shipped", "MarketLens at ", lens=STRANGER.address),
    forged("registry", "code_is_shipped", "EnergyRegistry at ", registry=STRANGER.address),
    forged("market", "code_is_shipped", "EnergyMarket at ", market=STRANGER.address),
    forged("chain", "", "serves chain 31337, the market is on 1", chain_id=1),
)
LIES = (*EVENTS, *LOGS, *CALLS, *BLOCKS, *STATE, *MANIFESTS)
