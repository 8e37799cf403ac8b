"""Who made a signature, for many of them: in this process, or in helpers that do nothing else.

A helper is a Python of its own that reads records and writes addresses. Nothing of this process is copied into it, so
threads and open connections here do not matter to it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import BinaryIO

import coincurve
from eth_hash.auto import keccak

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
WORD, ADDRESS = 32, 20
# Digest, r, s, and one byte for v.
RECORD = 3 * WORD + 1
NOBODY = bytes(ADDRESS)


def recover_signer(digest: bytes, parity: int, r: int, s: int) -> bytes:
    """Whose key signed a digest, 20 bytes; `NOBODY` if no key can have: r or s out of range, or s the higher one of
    two (EIP-2), which neither a chain nor the market takes."""
    if not 0 < r < CURVE_ORDER or not 0 < s <= CURVE_ORDER // 2 or parity not in (0, 1):
        return NOBODY
    signature = r.to_bytes(WORD, "big") + s.to_bytes(WORD, "big") + bytes([parity])
    try:
        public = coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except ValueError:
        return NOBODY
    return bytes(keccak(public.format(compressed=False)[1:])[-ADDRESS:])


def to_record(digest: bytes, r: int, vs: int) -> bytes:
    """What a helper needs: a digest and a signature's two words (EIP-2098)."""
    s = vs & ((1 << 255) - 1)
    return digest + r.to_bytes(WORD, "big") + s.to_bytes(WORD, "big") + bytes([vs >> 255])


def recover_records(records: bytes) -> bytes:
    """The addresses for records, one after the other."""
    found = []
    for at in range(0, len(records), RECORD):
        digest, r, s = (records[start : start + WORD] for start in range(at, at + 3 * WORD, WORD))
        parity = records[at + RECORD - 1]
        found.append(recover_signer(digest, parity, int.from_bytes(r, "big"), int.from_bytes(s, "big")))
    return b"".join(found)


class Helpers:
    """Processes that recover signatures while this one goes on."""

    def __init__(self, number: int) -> None:
        """
        Args:
            number: of processes.
        """
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        self._processes = [_start() for _ in range(number)]
        for process in self._processes:
            self._idle.put(process)
        # Each thread waits for one process.
        self._threads = ThreadPoolExecutor(number, thread_name_prefix="recovery")

    def submit(self, records: bytes) -> Future[bytes]:
        """Gives records to the next idle helper; the result is that of `recover_records`."""
        return self._threads.submit(self._ask, records)

    def close(self) -> None:
        """Ends the processes."""
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.kill()
            process.communicate()

    def _ask(self, records: bytes) -> bytes:
        process = self._idle.get()
        try:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(len(records).to_bytes(WORD, "big") + records)
            process.stdin.flush()
            size = len(records) // RECORD * ADDRESS
            found = process.stdout.read(size)
            # A helper that was killed: its work is done here.
            return found if len(found) == size else recover_records(records)
        except BrokenPipeError:
            return recover_records(records)
        finally:
            self._idle.put(process)


def _start() -> subprocess.Popen[bytes]:
    # The helper finds the packages where this process found them.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    # Ctrl-C is for this process, which then ends its helpers.
    return subprocess.Popen(
        [sys.executable, "-m", "peerwatt.audit.recovery"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )


def _help(source: BinaryIO, target: BinaryIO) -> None:
    """A helper's life: it ends with its input."""
    while head := source.read(WORD):
        records = source.read(int.from_bytes(head, "big"))
        target.write(recover_records(records))
        target.flush()


if __name__ == "__main__":
    _help(sys.stdin.buffer, sys.stdout.buffer)
