"""A way to a node that can be cut and slowed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 65_536


class Proxy:
    """Passes bytes on. `cut`: nothing answers, and what is open breaks. `delay_s`: each request waits so long."""

    def __init__(self, port: int) -> None:
        self.delay_s = 0.0
        self._target = port
        self._cut = threading.Event()
        self._ended = threading.Event()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """The node is gone."""
        self._cut.set()
        for end in list(self._open):
            _close(end)

    def mend(self) -> None:
        """The node is back."""
        self._cut.clear()

    def end(self) -> None:
        """Closes everything."""
        self._ended.set()
        self.cut()
        _close(self._listener)

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._cut.is_set():
                client.close()
                continue
            node = socket.create_connection(("127.0.0.1", self._target))
            self._open |= {client, node}
            for source, target, slow in ((client, node, True), (node, client, False)):
                threading.Thread(target=self._pass_on, args=(source, target, slow), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, slow: bool) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                if slow and self.delay_s:
                    self._ended.wait(self.delay_s)
                target.sendall(data)
        for end in (source, target):
            self._open.discard(end)
            _close(end)


def _close(end: socket.socket) -> None:
    # Another thread may wait in it: a shutdown wakes it, a close alone does not.
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextmanager
def proxy_to(url: str) -> Iterator[Proxy]:
    """A proxy to a node on this machine."""
    proxy = Proxy(int(url.rsplit(":", 1)[1]))
    try:
        yield proxy
    finally:
        proxy.end()
