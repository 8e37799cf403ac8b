# pragma version 0.4.3
# pragma evm-version prague
# pragma nonreentrancy off
"""
@title AttackToken: a token that misbehaves as it is told
@license Apache-2.0
@notice It keeps a fee, answers false, moves balances on its own, or calls back in the middle of a transfer. It knows no
        permit, yet takes a call to one without complaint, as wrapped ether does.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256


balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
fee_bps: public(uint256)
answers_false: public(bool)
moves_nothing: public(bool)
hook_target: public(address)
hook_data: public(Bytes[4096])
# Of the last call back: how many there were, whether it went through, what it returned or why it reverted.
hooks: public(uint256)
hook_went_through: public(bool)
hook_answer: public(Bytes[256])


@deploy
def __init__(name_: String[25], symbol_: String[5], decimals_: uint8):
    pass


@external
@payable
def __default__():
    pass


@external
def mint(receiver: address, amount: uint256):
    self.balanceOf[receiver] += amount


@external
def rebase(holder: address, balance: uint256):
    """
    @notice A balance becomes another one, without a transfer.
    """
    self.balanceOf[holder] = balance


@external
def misbehave(fee_bps: uint256, answers_false: bool, moves_nothing: bool):
    self.fee_bps = fee_bps
    self.answers_false = answers_false
    self.moves_nothing = moves_nothing


@external
def call_back(target: address, data: Bytes[4096]):
    """
    @notice What the next transfer calls, once, before it moves anything.
    """
    self.hook_target = target
    self.hook_data = data


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    return self._transfer(msg.sender, receiver, amount)


@external
def transferFrom(owner: address, receiver: address, amount: uint256) -> bool:
    self.allowance[owner][msg.sender] -= amount
    return self._transfer(owner, receiver, amount)


@internal
def _transfer(sender: address, receiver: address, amount: uint256) -> bool:
    target: address = self.hook_target
    if target != empty(address):
        self.hook_target = empty(address)
        self.hooks += 1
        answer: Bytes[256] = b""
        self.hook_went_through, answer = raw_call(
            target, self.hook_data, max_outsize=256, revert_on_failure=False
        )
        self.hook_answer = answer
    if not self.moves_nothing:
        self.balanceOf[sender] -= amount
        self.balanceOf[receiver] += amount - amount * self.fee_bps // 10000
        log Transfer(sender=sender, receiver=receiver, value=amount)
    return not self.answers_false
