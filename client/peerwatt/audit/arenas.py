"""The C library's memory, shared by all threads of an audit."""

from __future__ import annotations

import ctypes

# Of glibc's mallopt.
ARENA_MAX = -8


def share_memory() -> bool:
    """Has all threads allocate in one place; call it before the first of them begins.

    glibc gives each thread a place of its own. The connections to a node fill theirs with answers, parts of which are
    kept a while, and the holes between them add up to tens of megabytes that nothing uses. Only one thread of Python
    runs at a time, so that there is nobody to wait for.

    Returns:
        Whether it could be done. Other C libraries are left as they are.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(ARENA_MAX, 1))
    except (AttributeError, OSError, TypeError):
        return False
