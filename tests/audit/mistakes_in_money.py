"""Markets that pay, reserve, store or log something else than they must."""

from __future__ import annotations

from audit.mutants import AUCTION, OFFERS, SETTLEMENT, WALLETS, Mutant

PAYOUT = "unsafe_add(balance, unsafe_mul(metered_wh, unsafe_sub(price, adjustment))),"
BALANCE = ("wallet.balance",)

IN_MONEY = (
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
        finds="block {block}, transaction {transaction}: 10000000001 deposited by {ada}, and the token moved none",
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
        rare=True,
    ),
)
