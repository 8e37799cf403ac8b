"""Many getters in one question.

`eth_call` without a receiver runs code as a deployment would, and answers what the code returns; nothing is deployed.
So a small program can call one getter after the other, and give all their words: a node answers a few hundred of them
in the time that it takes for a few questions. Where it refuses, or a getter fails, each getter is asked by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from peerwatt.audit.getters import Getter, read_answer
from peerwatt.audit.history import Block
from peerwatt.audit.transport import Request, RpcError, Transport

# What a deployment may be given, and may return (EIP-3860, EIP-170) [bytes].
MAX_PROGRAM, MAX_ANSWER = 49_152, 24_576
WORD = 32
# In memory: what a getter is given, up to four words; then whether all went well; then their words.
GIVEN, HEAD = 0, 5 * WORD
# Instructions.
PUSH1, PUSH2, PUSH20 = 0x60, 0x61, 0x73
DUP_TARGET = 0x85
CODECOPY, MSTORE, GAS, STATICCALL, RETURN, AND = 0x39, 0x52, 0x5A, 0xFA, 0xF3, 0x16
# Of the instructions for one getter, and of those around them at most [bytes].
STEP, FRAME = 22, 10 * (1 + 20) + 32


def make_program(getters: Sequence[Getter]) -> bytes:
    """Code that calls getters, and returns a word that is 1 if none failed, followed by their words."""
    targets = list(dict.fromkeys(getter.address for getter in getters))
    head = b"".join(bytes([PUSH20]) + bytes.fromhex(target[2:]) for target in targets) + bytes([PUSH1, 1])
    words = sum(getter.words for getter in getters)
    tail = bytes([PUSH1, HEAD, MSTORE, *_push2(WORD * (1 + words)), PUSH1, HEAD, RETURN])
    data_at = len(head) + STEP * len(getters) + len(tail)
    word_at, steps, data = HEAD + WORD, bytearray(), bytearray()
    for getter in getters:
        given = len(getter.data)
        steps += bytes([PUSH1, given, *_push2(data_at + len(data)), PUSH1, GIVEN, CODECOPY])
        steps += bytes([*_push2(WORD * getter.words), *_push2(word_at), PUSH1, given, PUSH1, GIVEN])
        # On the stack: four arguments, whether all went well so far, and the targets, the last one first.
        target = DUP_TARGET + len(targets) - 1 - targets.index(getter.address)
        steps += bytes([target, GAS, STATICCALL, AND])
        word_at += WORD * getter.words
        data += getter.data
    return head + bytes(steps) + tail + bytes(data)


def _push2(number: int) -> tuple[int, int, int]:
    return PUSH2, number >> 8, number & 0xFF


class Words:
    """Reads what getters say at a block.

    Attributes:
        bundles: whether the node takes programs.
    """

    def __init__(self, transport: Transport, block: Block) -> None:
        self.bundles = True
        self._transport = transport
        self._block = block

    def read(self, getters: Sequence[Getter]) -> list[int | RpcError]:
        """The words of each getter as one integer, one after the other, or why the node refuses it.

        Raises:
            RpcFailed: there was no answer.
        """
        if not self.bundles or len(getters) == 1:
            return self._read_singly(getters)
        parts = list(_parts(getters))
        requests: list[Request] = [
            ("eth_call", [{"data": f"0x{make_program(part).hex()}"}, hex(self._block.number)]) for part in parts
        ]
        found: list[int | RpcError] = []
        for part, answer in zip(parts, self._transport.many(requests), strict=True):
            words = _split(part, answer)
            if words is None:
                # Why it was, each of them tells by itself.
                self.bundles = False
                words = self._read_singly(part)
            found += words
        return found

    def _read_singly(self, getters: Sequence[Getter]) -> list[int | RpcError]:
        answers = self._transport.many([getter.request(self._block) for getter in getters])
        return [answer if isinstance(answer, RpcError) else read_answer(answer) for answer in answers]


def _parts(getters: Sequence[Getter]) -> Iterator[list[Getter]]:
    part: list[Getter] = []
    program, answer = FRAME, WORD
    for getter in getters:
        longer, larger = STEP + len(getter.data), WORD * getter.words
        if part and (program + longer > MAX_PROGRAM or answer + larger > MAX_ANSWER):
            yield part
            part, program, answer = [], FRAME, WORD
        part.append(getter)
        program, answer = program + longer, answer + larger
    if part:
        yield part


def _split(getters: Sequence[Getter], answer: object) -> list[int | RpcError] | None:
    """The words of each getter; None if the answer is not of all of them."""
    try:
        data = bytes.fromhex(answer[2:]) if isinstance(answer, str) else b""
    except ValueError:
        return None
    if len(data) != WORD * (1 + sum(getter.words for getter in getters)) or int.from_bytes(data[:WORD], "big") != 1:
        return None
    words: list[int | RpcError] = []
    at = WORD
    for getter in getters:
        words.append(int.from_bytes(data[at : at + WORD * getter.words], "big"))
        at += WORD * getter.words
    return words
