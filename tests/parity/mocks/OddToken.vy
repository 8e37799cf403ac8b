# pragma version 0.4.3
"""
@title OddToken: a token with bad manners, as the test chooses
"""

# 0: well behaved; 1: returns False; 2: moves nothing; 3: keeps a third of what it moves
manners: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
nonces: public(HashMap[address, uint256])


@deploy
def __init__(name: String[25], symbol: String[5], decimals: uint8):
    pass


@external
def behave(manners: uint256):
    self.manners = manners


@external
def mint(receiver: address, amount: uint256):
    self.balanceOf[receiver] += amount


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    return self._move(msg.sender, receiver, amount)


@external
def transferFrom(owner: address, receiver: address, amount: uint256) -> bool:
    self.allowance[owner][msg.sender] -= amount
    return self._move(owner, receiver, amount)


@internal
def _move(sender: address, receiver: address, amount: uint256) -> bool:
    if self.manners == 1:
        return False
    if self.manners != 2:
        self.balanceOf[sender] -= amount
        self.balanceOf[receiver] += amount - (amount // 3 if self.manners == 3 else 0)
    return True
