"""Markets that accept, clear or count something else than they must, or that have another registry or token."""

from __future__ import annotations

from audit.mutants import AUCTION, METERS, OFFERS, PARTICIPANTS, REGISTRY, SETTLEMENT, TARIFFS, TOKEN, Mutant

SIGNED_ORDER = """        if signing._recover(struct_hash, r, vs) != signer:
            return reasons.BAD_SIGNATURE
        if agent"""
REVOCATION = """    for slot: uint256 in range(16):
        self._cut(account, slot, gated + 1)
"""

IN_TRADING = (
    # Orders
    Mutant(
        "takes an order that somebody else signed",
        OFFERS,
        SIGNED_ORDER,
        "        if agent",
        "an order that a stranger signed",
        "ItemSkipped",
    ),
    Mutant(
        "takes a cancel that somebody else signed",
        OFFERS,
        "if signer == empty(address) or signing._recover(struct_hash, r, vs) != signer:",
        "if signer == empty(address) or signing._recover(struct_hash, r, vs) == empty(address):",
        "a cancel that a stranger signed",
        "ItemSkipped",
        rare=True,
    ),
    Mutant(
        "ignores the envelope",
        OFFERS,
        "if energy_wh > unsafe_div(envelope_wh, 10000):",
        "if False:",
        "an order beyond the envelope",
        "ItemSkipped",
    ),
    Mutant(
        "ignores an agent's cap",
        OFFERS,
        "if limit_level > (word >> 64) & M8:",
        "if False:",
        "an order of an agent beyond its cap",
        "ItemSkipped",
        rare=True,
    ),
    Mutant(
        "lets anybody name an agent",
        PARTICIPANTS,
        """    parameters._check_registry()
    self.agents[account]""",
        "    self.agents[account]",
        "a mandate by a stranger",
        finds="participants: only the registry",
        rare=True,
    ),
    Mutant(
        "gives a bid a level too many",
        OFFERS,
        "(unsafe_div(unsafe_sub(price, parameters.floor_price), parameters.price_step) << 136)",
        "((unsafe_div(unsafe_sub(price, parameters.floor_price), parameters.price_step) + 1) << 136)",
        "orders for window A",
        "OrderPlaced",
        ("order.effective_level",),
        rare=True,
    ),
    Mutant(
        "reads the band of a worse score",
        OFFERS,
        "9999), 625), 16)",
        "9999), 626), 16)",
        "orders for window A",
        "OrderPlaced",
        ("order.effective_level", "order.adjustment_bps"),
    ),
    Mutant(
        "charges by a tariff that is not in force",
        TARIFFS,
        "if next_from != 0 and parameters._get_window() >= next_from:",
        "if next_from != 0:",
        "an order before the other tariff",
        "OrderPlaced",
        ("order.effective_level", "order.adjustment_bps", "order.imbalance_steps", "order.version"),
    ),
    Mutant(
        "takes two orders for a window",
        OFFERS,
        "if calendar & windows != 0:",
        "if False:",
        "an order for a window that is taken",
        "ItemSkipped",
        rare=True,
    ),
    Mutant(
        "cancels past the gate",
        OFFERS,
        "max(from_window, unsafe_add(parameters._get_gated(), 2))",
        "from_window",
        "a cancel past the gate",
        "ItemSkipped",
    ),
    Mutant(
        "leaves the orders of a revoked meter",
        OFFERS,
        REVOCATION,
        "",
        "a meter is revoked",
        "OrderCancelled",
        rare=True,
    ),
    # Clearing
    Mutant(
        "clears before the gate",
        AUCTION,
        "gated: uint256 = parameters._get_gated()",
        "gated: uint256 = parameters._get_gated() + 1",
        "clearing before the gate",
        finds="auction: nothing to clear",
    ),
    Mutant(
        "rounds a midpoint up",
        AUCTION,
        "return (unsafe_add(low, high) >> 1)",
        "return (unsafe_add(unsafe_add(low, high), 1) >> 1)",
        "windows B and C are cleared, late",
        "WindowCleared",
        ("result.level",),
    ),
    Mutant(
        "sets the price a level too high",
        AUCTION,
        "return low | (OFFERS_RATIONED << 8)",
        "return (low + 1) | (OFFERS_RATIONED << 8)",
        "window A is cleared",
        "WindowCleared",
        ("result.level",),
    ),
    Mutant(
        "rations one Wh too little",
        AUCTION,
        "(unsafe_sub(supply, above) << 10)",
        "((unsafe_sub(supply, above) + 1) << 10)",
        "windows B and C are cleared, late",
        "WindowCleared",
        ("result.num",),
    ),
    Mutant(
        "rounds a rationed offer up",
        SETTLEMENT,
        "return unsafe_div(unsafe_mul(energy_wh, (result >> 10) & M48), (result >> 58) & M48)",
        "return unsafe_div(unsafe_mul(energy_wh, (result >> 10) & M48), (result >> 58) & M48) + 1",
        "a report of full delivery",
        "ReportSettled",
        ("wallet.balance", "wallet.score"),
        rare=True,
    ),
    Mutant(
        "hides how late it cleared",
        AUCTION,
        "delay = min(unsafe_sub(block.timestamp, ended), M32)",
        "pass",
        "windows B and C are cleared, late",
        "WindowCleared",
        ("result.delay_seconds",),
        rare=True,
    ),
    # Meters and reputation
    Mutant(
        "takes a report of another meter",
        METERS,
        "if signing._recover(struct_hash, r, vs) != meter:",
        "if signing._recover(struct_hash, r, vs) == empty(address):",
        "a report of another meter",
        "ItemSkipped",
    ),
    Mutant(
        "lets a register fall",
        METERS,
        "    elif opening_wh < stored_wh:\n        return reasons.REGISTER_DECREASES, 0\n",
        "",
        "a register that falls",
        "ItemSkipped",
        rare=True,
    ),
    Mutant(
        "rounds a score in the wrong direction",
        "modules/reputation.vy",
        "    way: uint256 = unsafe_mul(unsafe_sub(score, target), fill_wh)\n"
        "    return unsafe_sub(score, unsafe_div(unsafe_add(way, unsafe_sub(weight, 1)), weight))",
        "    way: uint256 = unsafe_mul(unsafe_sub(score, target), fill_wh)\n"
        "    return unsafe_sub(score, unsafe_div(way, weight))",
        "silent sellers",
        "DueSettled",
        ("wallet.score",),
    ),
    # The other contracts
    Mutant(
        "enrols a home without its meter's signature",
        "modules/consent.vy",
        "    signing._check_signer(meter, struct_hash, meter_r, meter_vs)\n",
        "",
        "a home that its meter did not sign for",
        finds="signing: bad signature",
        contract=REGISTRY,
    ),
    Mutant(
        "moves the market's tokens, and says nothing",
        "SettlementToken.vy",
        "    self.balanceOf[receiver] += amount\n    log Transfer(sender=sender",
        "    self.balanceOf[receiver] += amount + 1\n    log Transfer(sender=sender",
        "homes",
        check="storage",
        finds="SettlementToken.balanceOf({market}) is ",
        contract=TOKEN,
        rare=True,
    ),
)
