"""One place in memory for all threads, where the C library can do it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from peerwatt.audit.arenas import share_memory

# Eight threads that hold something large for a while; then how many places glibc has.
PROGRAM = """
import ctypes, sys, tempfile, threading
from peerwatt.audit.arenas import share_memory
if sys.argv[1] == "shared":
    assert share_memory()
meet = threading.Barrier(8)
def hold():
    kept = b"x" * 10_000 + bytes([threading.get_ident() % 256])
    meet.wait()
threads = [threading.Thread(target=hold) for _ in range(8)]
[one.start() for one in threads]
[one.join() for one in threads]
with tempfile.NamedTemporaryFile() as file:
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(file.read().count(b"<heap nr="))
"""


def count_arenas(how: str) -> int:
    return int(subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has several")
def test_share_memory__threads__one_arena() -> None:
    assert count_arenas("shared") == 1 < count_arenas("apart")


def test_share_memory__another_library__left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peerwatt.audit.arenas.ctypes.CDLL", lambda _: object())
    assert not share_memory()
