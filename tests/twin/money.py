"""Money in and out of a twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peerwatt.reference import Market
from peerwatt.signing import Domain, Message, Signature, Withdrawal, sign
from peerwatt.signing.permit import Permit, TokenDomain
from twin.chain import DEPLOYER, STRANGER, Deployment
from twin.keys import Home, Key

TOKEN_REFUSALS = frozenset({"token: not enough balance", "token: not enough allowance"})


class MoneyActs:
    """Deposits and withdrawals. Part of `Twin`."""

    contracts: Deployment
    market: Market
    domain: Domain
    now: int
    act: Callable[..., Any]
    recovered: Callable[..., str]

    def mint(self, key: Key, amount: int, allowance: int | None = None) -> None:
        """Tokens outside the market, and how many of them the market may take (all, if not said)."""
        token = self.contracts.token
        self._must(token.send(DEPLOYER.address, "mint", key.address, amount).reason)
        allowed = amount if allowance is None else allowance
        self._must(token.send(key.address, "approve", self.contracts.market.address, allowed).reason)

    def deposit(self, home: Home | Key, amount: int, *, minted: bool = True) -> int | str:
        """Puts tokens in, made for the purpose unless `minted` is False."""
        key = home.account if isinstance(home, Home) else home
        if minted and amount > 0:
            self.mint(key, amount)
        token = self.contracts.token
        have = token.view("balanceOf", key.address)
        allowed = token.view("allowance", key.address, self.contracts.market.address)
        return self.act(
            self.contracts.market,
            "deposit",
            (amount,),
            key.address,
            lambda: self.market.deposit(self.now, key.address, amount, None, min(have, allowed) >= amount),
            TOKEN_REFUSALS,
        )

    def deposit_permit(
        self,
        home: Home | Key,
        amount: int,
        *,
        minted: bool = True,
        permitted: int | None = None,
        deadline: int | None = None,
        signer: Key | None = None,
        used_before: bool = False,
    ) -> int | str:
        """Puts tokens in by the owner's permit, brought by a stranger.

        Args:
            permitted: what the permit is of, if not of the amount.
            used_before: somebody else brings the permit to the token first.
        """
        key = home.account if isinstance(home, Home) else home
        token, market = self.contracts.token, self.contracts.market
        if minted and amount > 0:
            self._must(token.send(DEPLOYER.address, "mint", key.address, amount).reason)
        deadline = self.now + 3600 if deadline is None else deadline
        message = Permit(
            owner=key.address,
            spender=market.address,
            value=amount if permitted is None else permitted,
            nonce=token.view("nonces", key.address),
            deadline=deadline,
        )
        domain = TokenDomain("Test Naira", "1", self.domain.chain_id, token.address)
        signature = sign(message, domain, (signer or key).secret)
        v, r, s = signature.v, signature.r.to_bytes(32, "big"), signature.s.to_bytes(32, "big")
        self.contracts.engine.now = self.now
        permit = (key.address, market.address, amount, deadline, v, r, s)
        if used_before:
            self._must(token.send(STRANGER.address, "permit", *permit).reason)
        # What the allowance will be once the market has tried the permit.
        with self.contracts.engine.anchor():
            token.send(STRANGER.address, "permit", *permit)
            allowance = token.view("allowance", key.address, market.address)
        have = token.view("balanceOf", key.address)
        return self.act(
            market,
            "deposit_permit",
            (key.address, amount, deadline, v, r, s),
            STRANGER.address,
            lambda: self.market.deposit_permit(self.now, key.address, amount, allowance, None, have >= amount),
            TOKEN_REFUSALS,
        )

    def withdraw(self, home: Home | Key, amount: int, recipient: str | None = None) -> str | None:
        key = home.account if isinstance(home, Home) else home
        recipient = key.address if recipient is None else recipient
        return self.act(
            self.contracts.market,
            "withdraw",
            (amount, recipient),
            key.address,
            lambda: self.market.withdraw(self.now, key.address, amount, recipient),
        )

    def withdraw_signed(
        self,
        home: Home | Key,
        amount: int,
        recipient: str | None = None,
        *,
        nonce: int | None = None,
        deadline: int | None = None,
        signer: Key | None = None,
        signature: Signature | None = None,
    ) -> str | None:
        """A withdrawal that a stranger brings, signed by the account."""
        key = home.account if isinstance(home, Home) else home
        recipient = key.address if recipient is None else recipient
        nonce = self.market.nonces.get(key.low, 0) if nonce is None else nonce
        deadline = self.now + 3600 if deadline is None else deadline

        def message() -> Message:
            return Withdrawal(key.address, recipient, amount, nonce, deadline)

        signature = signature or (signer or key).sign(message(), self.domain)
        by = self.recovered(message, signature.r, signature.vs)
        return self.act(
            self.contracts.market,
            "withdraw_signed",
            (key.address, recipient, amount, nonce, deadline, signature.r, signature.vs),
            STRANGER.address,
            lambda: self.market.withdraw_signed(self.now, key.address, recipient, amount, nonce, deadline, by),
        )

    @staticmethod
    def _must(reason: str | None) -> None:
        if reason is not None:
            raise AssertionError(f"the token refused: {reason}")
