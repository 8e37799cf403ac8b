"""Markets with one mistake each: what was changed in the sources, and where an audit must notice first."""

from __future__ import annotations

import gc
import shutil
from dataclasses import dataclass
from pathlib import Path

from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.phases import CompilerData

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
MARKET, REGISTRY, TOKEN = "EnergyMarket", "EnergyRegistry", "SettlementToken"


@dataclass(frozen=True)
class Mutant:
    """One mistake.

    Attributes:
        name: what the market does, for people.
        file: below contracts/.
        old, new: text that is there once, and what stands in its place.
        act: of the script, in which the first log differs; where none does, in which the storage begins to.
        log: the honest market's log at that place; empty where it refuses the transaction.
        differs: fields of the log that differ; none where another log is there, or a transaction that was refused.
        check: named check that finds it; "replay" where a log differs.
        finds: what the check's first violation begins with, or the reason of the refusal.
        contract: that is compiled again.
        rare: it is tried by `make fuzz` only; its like is always tried.
    """

    name: str
    file: str
    old: str
    new: str
    act: str
    log: str = ""
    differs: tuple[str, ...] = ()
    check: str = "replay"
    finds: str = ""
    contract: str = MARKET
    rare: bool = False


def compile_mutant(mutant: Mutant, folder: Path) -> bytes:
    """Creation code of the mutated contract. Without the optimiser, which takes two thirds of the time.

    Raises:
        AssertionError: the text to be changed is not there, or more than once.
    """
    shutil.copytree(CONTRACTS, folder, dirs_exist_ok=True)
    path = folder / mutant.file
    source = path.read_text(encoding="utf-8")
    assert source.count(mutant.old) == 1, f"{mutant.name}: {mutant.file} has the text {source.count(mutant.old)} times"
    path.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
    main = folder / f"{mutant.contract}.vy"
    text = main.read_text(encoding="utf-8")
    assert text.count("# pragma optimize gas") == 1
    main.write_text(text.replace("# pragma optimize gas", "# pragma optimize none"), encoding="utf-8")
    # The compiler makes millions of objects, and nearly all of them stay until its end.
    gc.disable()
    try:
        bundle = FilesystemInputBundle([folder])
        return bytes(CompilerData(bundle.load_file(Path(main.name)), bundle).bytecode)
    finally:
        gc.enable()


SETTLEMENT, OFFERS, AUCTION, WALLETS = (
    f"modules/{name}.vy" for name in ("settlement", "offers", "auction", "wallets")
)
METERS, PARTICIPANTS, TARIFFS = (f"modules/{name}.vy" for name in ("meters", "participants", "tariffs"))
PAYOUT = "unsafe_add(balance, unsafe_mul(metered_wh, unsafe_sub(price, adjustment))),"
SIGNED_ORDER = """        if signing._recover(struct_hash, r, vs) != signer:
            return reasons.BAD_SIGNATURE
        if agent"""
REVOCATION = """    for slot: uint256 in range(16):
        self._cut(account, slot, gated + 1)
"""
BALANCE = ("wallet.balance",)

MUTANTS = (
    # Payments
    Mutant(
        "pays a seller one unit too much",
        SETTLEMENT,
        PAYOUT,
        f"unsafe_add({PAYOUT[:-1]}, 1),",
        "a report of full delivery",
        "ReportSettled",
        BALANCE,
    ),
    Mutant(
        "rounds a surcharge down",
        SETTLEMENT,
        "unsafe_div(unsafe_add(unsafe_mul(price, adjustment_bps), 9999), 10000)",
        "unsafe_div(unsafe_mul(price, adjustment_bps), 10000)",
        "a report of full delivery",
        "ReportSettled",
        BALANCE,
        rare=True,
    ),
    Mutant(
        "forgets the network fee",
        SETTLEMENT,
        "unsafe_add(unsafe_add(price, adjustment), fee)",
        "unsafe_add(price, adjustment)",
        "a report of a rated buyer",
        "ReportSettled",
        BALANCE,
    ),
    Mutant(
        "takes no haircut",
        SETTLEMENT,
        "unsafe_mul(metered_wh, unsafe_sub(price, adjustment))",
        "unsafe_mul(metered_wh, price)",
        "a report of full delivery",
        "ReportSettled",
        BALANCE,
        rare=True,
    ),
    Mutant(
        "charges nothing for energy that did not come",
        SETTLEMENT,
        "unsafe_mul(short_wh, unsafe_sub(imbalance_price, price)),",
        "0,",
        "a report of full delivery",
        "ReportSettled",
        BALANCE,
        rare=True,
    ),
    Mutant(
        "pays for energy that no meter counted",
        SETTLEMENT,
        "metered_wh = min((growths[k >> 3] >> ((k & 7) << 5)) & M32, fill_wh)",
        "metered_wh = fill_wh",
        "a report of full delivery",
        "ReportSettled",
        ("wallet.balance", "wallet.score"),
    ),
    Mutant(
        "keeps what is left of the escrow",
        SETTLEMENT,
        "done.balancing = unsafe_add(done.balancing, unsafe_mul(rounding_wh, offers._get_price(price_level)))",
        "pass",
        "silent sellers",
        "FundsCredited",
        ("balancing",),
    ),
    Mutant(
        "settles twice",
        SETTLEMENT,
        "participants.calendars[account] = participants._move_up((settled << 224) | windows, cleared)",
        "pass",
        "what was settled is due again",
        "ItemSkipped",
    ),
    Mutant(
        "calls a seller in default before the deadline",
        SETTLEMENT,
        "unsafe_add(end, (result >> 106) & M32), parameters.report_deadline_seconds",
        "unsafe_add(end, (result >> 106) & M32), 60",
        "what is due too early",
        "ItemSkipped",
    ),
    # Reserves
    Mutant(
        "keeps the reserve of a settled order",
        SETTLEMENT,
        "reserved = unsafe_sub(reserved, reserve)",
        "pass",
        "a report of full delivery",
        "ReportSettled",
        ("wallet.reserved",),
    ),
    Mutant(
        "skips the reserve of a bid",
        OFFERS,
        "wallet = unsafe_add(wallet, reserve << 104)",
        "wallet = unsafe_add(wallet, (reserve * side) << 104)",
        "an order that nobody can pay",
        "ItemSkipped",
    ),
    Mutant(
        "lets reserved money out",
        WALLETS,
        "return unsafe_sub(wallet & AMOUNT, (wallet >> 104) & AMOUNT)",
        "return wallet & AMOUNT",
        "reserved money is withdrawn",
        finds="wallets: not enough free money",
    ),
    Mutant(
        "takes orders that nobody can pay",
        OFFERS,
        "if reserve > wallets._get_free(wallet):",
        "if False:",
        "an order that nobody can pay",
        "ItemSkipped",
        rare=True,
    ),
    # Wallets
    Mutant(
        "burns no nonce of a withdrawal",
        WALLETS,
        "self.nonces[account] = nonce + 1",
        "self.nonces[account] = nonce",
        "the same withdrawal again",
        finds="wallets: nonce used",
    ),
    Mutant(
        "pays out on a stranger's signature",
        WALLETS,
        "    signing._check_signer(\n        account, keccak256(abi_encode(WITHDRAWAL_TYPE_HASH",
        "    if amount == 0:\n        signing._check_signer(\n        account, "
        "keccak256(abi_encode(WITHDRAWAL_TYPE_HASH",
        "a withdrawal that a stranger signed",
        finds="signing: bad signature",
    ),
    Mutant(
        "credits more than it was given",
        WALLETS,
        "after: uint256 = staticcall token.balanceOf(self)",
        "after: uint256 = staticcall token.balanceOf(self) + 1",
        "homes",
        check="tokens",
        finds="block {block}, transaction {transaction}: in 10000000001 of {ada} 1 times without the tokens",
    ),
    Mutant(
        "debits less than it pays out, and says nothing",
        WALLETS,
        "self.wallets[account] = unsafe_sub(wallet, amount)",
        "self.wallets[account] = unsafe_sub(wallet, amount - 1)",
        "two withdrawals in one block",
        check="storage",
        finds="EnergyMarket.wallets({ada}) is ",
    ),
    Mutant(
        "lets the operator change a balance",
        WALLETS,
        "@external\ndef deposit(amount: uint256):",
        """@external
def adjust(account: address, amount: uint256):
    self.wallets[account] = unsafe_add(self.wallets[account], amount)


@external
def deposit(amount: uint256):""",
        "what is not there is called",
        check="storage",
        finds="EnergyMarket.wallets({operator}) is 0xf4240, 0x0 expected",
    ),
    Mutant(
        "credits the relayer in the place of the utility",
        SETTLEMENT,
        "wallets._credit(wallets.balancing_account, balancing)",
        "wallets._credit(msg.sender, balancing)",
        "a report of full delivery",
        check="storage",
        finds="EnergyMarket.wallets({balancing}) is 0x0, ",
    ),
    # Words and logs
    Mutant(
        "logs another wallet than it stores",
        SETTLEMENT,
        "        wallet=done.wallet,\n        growths=growths,",
        "        wallet=done.wallet + 1,\n        growths=growths,",
        "a report of full delivery",
        "ReportSettled",
        BALANCE,
    ),
    Mutant(
        "stores another order than it logs",
        OFFERS,
        "    self.orders[account][nonce & 15] = order\n    book.book_state = unsafe_add",
        "    self.orders[account][nonce & 15] = order | (1 << 145)\n    book.book_state = unsafe_add",
        "a cancel",
        "OrderCancelled",
        ("order.rated",),
        rare=True,
    ),
    Mutant(
        "miscounts the energy of its books",
        AUCTION,
        "window | (open_wh << 32)",
        "window | ((open_wh | 1) << 32)",
        "four idle days are cleared",
        "BookJumped",
        ("window",),
    ),
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
