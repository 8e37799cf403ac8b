# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Consent of accounts and meters to an enrolment or a meter swap
@license Apache-2.0
@notice EIP-712 messages of the registry, verified in the market's own domain, so that a wallet knows one
        domain only. Signatures are EIP-2098 words `r, vs`. A contract wallet calls `consent` instead of signing.
@dev Nothing here can be used twice: both messages bind a meter, and a meter address binds once ever.
"""

from . import signing
from ..interfaces import IEnergyMarket

uses: signing


struct Enrolment:
    account: address
    meter: address
    imported_wh: uint64
    exported_wh: uint64
    deadline: uint64


struct MeterSwap:
    account: address
    old_meter: address
    new_meter: address
    imported_wh: uint64
    exported_wh: uint64
    deadline: uint64


event Consented:
    account: indexed(address)
    digest: bytes32


ENROLMENT_TYPE: constant(bytes32) = keccak256(
    "Enrolment(address account,address meter,uint64 importedWh,uint64 exportedWh,uint64 deadline)"
)
SWAP_TYPE: constant(bytes32) = keccak256(
    "MeterSwap(address account,address oldMeter,address newMeter,uint64 importedWh,uint64 exportedWh,uint64 deadline)"
)

MARKET: immutable(IEnergyMarket)

# account -> digest -> consented
consents: public(HashMap[address, HashMap[bytes32, bool]])


@deploy
def __init__(market: address):
    MARKET = IEnergyMarket(market)


@view
@external
def market() -> address:
    """
    @notice The market this registry serves, and the verifying contract of every message.
    """
    return MARKET.address


@view
@external
def enrolment_digest(enrolment: Enrolment) -> bytes32:
    """
    @notice What account and meter sign to enrol.
    """
    return signing._get_digest(self._get_enrolment_hash(enrolment))


@view
@external
def swap_digest(swap: MeterSwap) -> bytes32:
    """
    @notice What account and new meter sign to swap the meter.
    """
    return signing._get_digest(self._get_swap_hash(swap))


@external
def consent(digest: bytes32):
    """
    @notice Consent of the caller to the message with this digest, in place of a signature.
    """
    self.consents[msg.sender][digest] = True
    log Consented(account=msg.sender, digest=digest)


@view
@internal
def _get_enrolment_hash(enrolment: Enrolment) -> bytes32:
    return keccak256(
        abi_encode(
            ENROLMENT_TYPE,
            enrolment.account,
            enrolment.meter,
            enrolment.imported_wh,
            enrolment.exported_wh,
            enrolment.deadline,
        )
    )


@view
@internal
def _get_swap_hash(swap: MeterSwap) -> bytes32:
    return keccak256(
        abi_encode(
            SWAP_TYPE,
            swap.account,
            swap.old_meter,
            swap.new_meter,
            swap.imported_wh,
            swap.exported_wh,
            swap.deadline,
        )
    )


@view
@internal
def _check_both(
    struct_hash: bytes32,
    account: address,
    account_r: uint256,
    account_vs: uint256,
    meter: address,
    meter_r: uint256,
    meter_vs: uint256,
):
    """
    @notice Both the account and the meter agreed.
    @dev An account's two words zero stand for a consent given by call.
    """
    if account_r == 0 and account_vs == 0:
        assert self.consents[account][signing._get_digest(struct_hash)], "signing: bad signature"
    else:
        signing._check_signer(account, struct_hash, account_r, account_vs)
    signing._check_signer(meter, struct_hash, meter_r, meter_vs)
