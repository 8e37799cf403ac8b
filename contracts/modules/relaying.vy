# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Relaying: a batch of signed acts of many homes, carried by anyone
@license Apache-2.0
@notice Items follow one another in one array of words; the first word of each: account [0,160), body [160,248), kind [248,256).
"""
from . import offers
from . import parameters
from . import reasons
from . import settlement

uses: offers
uses: parameters
uses: settlement


event ItemSkipped:
    account: indexed(address)
    index: uint256
    reason: uint256


event FundsCredited:
    balancing: uint256
    network: uint256


ORDER: constant(uint256) = 1
CANCEL: constant(uint256) = 2
REPORT: constant(uint256) = 3
DUE: constant(uint256) = 4
M8: constant(uint256) = 2**8 - 1
M24: constant(uint256) = 2**24 - 1
M32: constant(uint256) = 2**32 - 1
M64: constant(uint256) = 2**64 - 1
M160: constant(uint256) = 2**160 - 1


@external
def relay(items: DynArray[uint256, 1024], strict: bool):
    """
    @notice Carries out each item; a bad one is skipped with its reason logged, or with strict reverts with its reason.
    """
    balancing: uint256 = 0
    network: uint256 = 0
    at: uint256 = 0
    for index: uint256 in range(1024):
        if at >= len(items):
            break
        head: uint256 = items[at]
        account: address = convert(head & M160, address)
        kind: uint256 = head >> 248
        body: uint256 = unsafe_add(at, 2)
        code: uint256 = 0
        to_balancing: uint256 = 0
        to_network: uint256 = 0
        if kind == DUE:
            at = unsafe_add(at, 1)
            code, to_balancing, to_network = settlement._settle_due(account, (head >> 160) & M64, (head >> 224) & M8)
        elif kind == REPORT:
            count: uint256 = (head >> 224) & M8
            growth_words: uint256 = (unsafe_add(count, 7)) >> 3
            assert unsafe_add(at, unsafe_add(4, growth_words)) <= len(items), "relay: item cut short"
            if count > 224:
                code = reasons.REPORT_TOO_LONG
            elif (head >> 232) & M8 > 1:
                code = reasons.BAD_REPORT_SIDE
            else:
                growths: DynArray[uint256, 28] = []
                for i: uint256 in range(growth_words, bound=28):
                    growths.append(items[unsafe_add(body, i)])
                code, to_balancing, to_network = settlement._settle_report(
                    account,
                    (head >> 160) & M64,
                    (head >> 232) & M8,
                    items[unsafe_add(at, 1)] & M32,
                    count,
                    (items[unsafe_add(at, 1)] >> 32) & M64,
                    growths,
                    items[unsafe_add(body, growth_words)],
                    items[unsafe_add(unsafe_add(body, 1), growth_words)],
                )
            at = unsafe_add(at, unsafe_add(4, growth_words))
        elif kind == ORDER or kind == CANCEL:
            assert unsafe_add(at, 4) <= len(items), "relay: item cut short"
            second: uint256 = items[unsafe_add(at, 1)]
            agent: address = convert(second & M160, address)
            if kind == ORDER:
                code = offers._accept(
                    account,
                    agent if agent != empty(address) else account,
                    agent,
                    empty(address),
                    (second >> 200) & M8,
                    (head >> 192) & M32,
                    (second >> 160) & M32,
                    (head >> 224) & M24,
                    (second >> 192) & M8,
                    (head >> 160) & M32,
                    items[body],
                    items[unsafe_add(body, 1)],
                )
            else:
                code = offers._cancel_signed(
                    account,
                    agent,
                    (head >> 160) & M32,
                    (head >> 192) & M32,
                    (second >> 160) & M64,
                    items[body],
                    items[unsafe_add(body, 1)],
                )
            at = unsafe_add(at, 4)
        else:
            raise "relay: unknown item"
        if code != 0:
            if strict:
                parameters._check(code)
            log ItemSkipped(account=account, index=index, reason=code)
        balancing = unsafe_add(balancing, to_balancing)
        network = unsafe_add(network, to_network)
    if balancing | network != 0:
        settlement._credit_funds(balancing, network)
        log FundsCredited(balancing=balancing, network=network)
