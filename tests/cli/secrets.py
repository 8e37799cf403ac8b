"""No command ever shows a key or a password: a `run` that looks."""

from __future__ import annotations

from cli.conftest import Ran, Run
from cli.village import HOMES, PASSWORD

SECRETS = [key.hex() for home in HOMES for key in (home.account_key, home.meter_key)] + [PASSWORD]


def guarded(run: Run, *more: str) -> Run:
    """Runs commands, and fails if stdout or stderr shows a secret."""

    def invoke(*arguments: object, input: str | None = None, expect: int | None = 0) -> Ran:
        ran = run(*arguments, input=input, expect=expect)
        check_no_secret(ran, *more)
        return ran

    return invoke


def check_no_secret(ran: Ran, *more: str) -> None:
    text = (ran.out + ran.err).lower()
    assert not [secret for secret in (*SECRETS, *more) if secret.lower() in text]


def line(ran: Ran) -> str:
    """The one line of an error; nothing else was printed."""
    assert ran.err.count("\n") == 1 and ran.err.startswith("peerwatt: "), ran.err
    assert not ran.out, ran.out
    return ran.err
