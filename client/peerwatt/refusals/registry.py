"""Why the registry refuses: roles, enrolment, tariffs, mandates; and parameters at deployment."""

from __future__ import annotations

from .base import MarketError


class SenselessMarket(MarketError):
    reason = "market: senseless parameter"
    problem = "senseless-market"
    fact = "a constructor argument of the market is out of its bounds"
    next_step = "compare the arguments with the bounds in docs/contract.md"


class SenselessRegistry(MarketError):
    reason = "registry: senseless parameter"
    problem = "senseless-registry"
    fact = "a constructor argument of the registry is the zero address, or the predecessor has no code"
    next_step = "give every address, and a deployed registry or zero as predecessor"


class OnlyTheRegistry(MarketError):
    reason = "participants: only the registry"
    problem = "only-the-registry"
    fact = "only the market's registry may do this"
    next_step = "call the registry's function instead"


class OpenWindows(MarketError):
    reason = "participants: open windows"
    problem = "open-windows"
    fact = "the account has windows that are not settled"
    next_step = "settle or cancel them first"


class EnrolmentPaused(MarketError):
    reason = "registry: paused"
    problem = "enrolment-paused"
    fact = "the regulator paused enrolments"
    next_step = "wait until enrolments resume"


class BadRole(MarketError):
    reason = "roles: bad role"
    problem = "bad-role"
    fact = "the role is none of 0 operator, 1 regulator, 2 balancing, 3 network"
    next_step = "name a role from 0 to 3"


class NotTheHolder(MarketError):
    reason = "roles: not the holder"
    problem = "not-the-holder"
    fact = "the caller does not hold the role"
    next_step = "call from the role's holder"


class NotOffered(MarketError):
    reason = "roles: not offered"
    problem = "not-offered"
    fact = "the role was not offered to the caller"
    next_step = "ask the holder to offer the role first"


class NotTheOperator(MarketError):
    reason = "roles: not the operator"
    problem = "not-the-operator"
    fact = "only the operator may do this"
    next_step = "call from the operator's account"


class NotTheRegulator(MarketError):
    reason = "roles: not the regulator"
    problem = "not-the-regulator"
    fact = "only the regulator may do this"
    next_step = "call from the regulator's account"


class EnrolmentExpired(MarketError):
    reason = "enrolment: message expired"
    problem = "enrolment-expired"
    fact = "the deadline that account and meter signed has passed"
    next_step = "have both sign again with a later deadline"


class NoSuchConnection(MarketError):
    reason = "enrolment: no such connection"
    problem = "no-such-connection"
    fact = "the connection is zero or was never enrolled"
    next_step = "check the connection's pseudonym"


class ConnectionTaken(MarketError):
    reason = "enrolment: connection taken"
    problem = "connection-taken"
    fact = "the connection belongs to another account"
    next_step = "move that account out first"


class AlreadyEnrolled(MarketError):
    reason = "enrolment: already enrolled"
    problem = "already-enrolled"
    fact = "the account has a meter or belongs to a connection"
    next_step = "move the account out first, or use another account"


class MeterBoundBefore(MarketError):
    reason = "enrolment: meter bound before"
    problem = "meter-bound-before"
    fact = "the meter's address was bound once before, and binds once ever"
    next_step = "give the meter a new key"


class BadMeter(MarketError):
    reason = "enrolment: bad meter"
    problem = "bad-meter"
    fact = "the meter is the zero address or the account itself"
    next_step = "give the meter a key of its own"


class ClassNotAccepted(MarketError):
    reason = "enrolment: class not accepted"
    problem = "class-not-accepted"
    fact = "the market does not accept the meter's class"
    next_step = "use a meter of an accepted class, or ask the regulator to accept this one"


class ClassOutOfBounds(MarketError):
    reason = "enrolment: class out of bounds"
    problem = "class-out-of-bounds"
    fact = "the bitmap of meter classes is 2^64 or more"
    next_step = "name classes from 0 to 63"


class EnrolledRegisterOverflow(MarketError):
    reason = "enrolment: register overflow"
    problem = "enrolled-register-overflow"
    fact = "a register of the meter is 2^48 Wh or more"
    next_step = "check the meter's unit: registers are in Wh"


class SenselessTerms(MarketError):
    reason = "enrolment: senseless terms"
    problem = "senseless-terms"
    fact = "a limit, feeder, status or class of the terms is out of bounds, or the retail class has no price"
    next_step = "compare the terms with docs/contract.md; publish the class's retail price first"


class MarketFull(MarketError):
    reason = "enrolment: market full"
    problem = "market-full"
    fact = "all 2^24 - 1 connections of the market are taken"
    next_step = "move somebody out first, or open another market"


class AccountNotEnrolled(MarketError):
    reason = "enrolment: not enrolled"
    problem = "account-not-enrolled"
    fact = "the account or connection has no meter bound"
    next_step = "enrol it first"


class NotTheOldMeter(MarketError):
    reason = "enrolment: not the old meter"
    problem = "not-the-old-meter"
    fact = "the old meter named is not the one bound to the account"
    next_step = "name the meter now bound to the account"


class NoSuchFeeder(MarketError):
    reason = "tariffs: no such feeder"
    problem = "no-such-feeder"
    fact = "the feeder's number is 2^16 or more"
    next_step = "name a feeder below 65,536"


class ScaleOutOfBounds(MarketError):
    reason = "tariffs: scale out of bounds"
    problem = "scale-out-of-bounds"
    fact = "a feeder's scale is above 10,000 bps"
    next_step = "choose a scale from 0 to 10,000 bps"


class FeeOutOfBounds(MarketError):
    reason = "tariffs: fee out of bounds"
    problem = "fee-out-of-bounds"
    fact = "the network fee is 2^64 base units per Wh or more"
    next_step = "choose a smaller fee"


class NoSuchClass(MarketError):
    reason = "tariffs: no such class"
    problem = "no-such-class"
    fact = "the retail class is 16 or more"
    next_step = "name a class from 0 to 15"


class RetailAboveImbalance(MarketError):
    reason = "tariffs: retail above imbalance"
    problem = "retail-above-imbalance"
    fact = "the retail price is above the imbalance price in force or published"
    next_step = "publish a tariff with a higher imbalance price first"


class TariffTooSoon(MarketError):
    reason = "tariffs: too soon"
    problem = "tariff-too-soon"
    fact = "a published tariff has not taken effect yet"
    next_step = "wait until it holds, then publish the next"


class ImbalanceTooLow(MarketError):
    reason = "tariffs: imbalance too low"
    problem = "imbalance-too-low"
    fact = "the imbalance price is on the grid of orders or below the highest retail price"
    next_step = "publish a higher imbalance price (256 steps or more)"


class ImbalanceOutOfBounds(MarketError):
    reason = "tariffs: imbalance out of bounds"
    problem = "imbalance-out-of-bounds"
    fact = "the imbalance price is more than 65,535 steps above the floor"
    next_step = "publish a lower imbalance price"


class BadTable(MarketError):
    reason = "tariffs: bad table"
    problem = "bad-table"
    fact = "a table has an entry above its bound, or treats a better band worse"
    next_step = (
        "keep surcharges and rebates at most 10,000 bps, haircuts at most 9,999, better bands never worse off"
    )


class NoVersionLeft(MarketError):
    reason = "tariffs: no version left"
    problem = "no-version-left"
    fact = "the market has used all its 32,767 tariff versions"
    next_step = "deploy a new market"


class BadAgent(MarketError):
    reason = "participants: bad agent"
    problem = "bad-agent"
    fact = "the agent is the zero address or the account itself"
    next_step = "authorise a key of its own"


class MandateNonceUsed(MarketError):
    reason = "participants: nonce used"
    problem = "mandate-nonce-used"
    fact = "the nonce of the authorisation or rating is not the account's next one"
    next_step = "read the account's next nonce and sign again"


class RatingExpired(MarketError):
    reason = "participants: message expired"
    problem = "rating-expired"
    fact = "the deadline of the rating choice has passed"
    next_step = "sign again with a later deadline"
