"""What the command line says when something goes wrong: one line, and an exit code that scripts can rely on."""

from __future__ import annotations

from typing import ClassVar

DONE, UNEXPECTED, USAGE, CONFIGURATION, NODE, KEY, REFUSED, NOT_CONFIRMED = range(8)
INTERRUPTED = 130

# The table of docs/cli.md; a test compares them.
EXIT_CODES = {
    DONE: "done",
    UNEXPECTED: "an error that nobody foresaw; run again with --debug and report it",
    USAGE: "the command line, or an amount, price or time in it, makes no sense",
    CONFIGURATION: "a file or setting is missing or wrong",
    NODE: "the chain cannot be reached, or is another one",
    KEY: "no key, a wrong password, or a damaged keystore",
    REFUSED: "the market refuses, or would refuse",
    NOT_CONFIRMED: "you did not confirm; nothing was sent",
    INTERRUPTED: "interrupted",
}


class UserError(Exception):
    """Something that the person at the keyboard can mend. The message says fact, values and next step."""

    exit_code: ClassVar[int] = UNEXPECTED


class UsageError(UserError):
    """The command line makes no sense."""

    exit_code = USAGE


class ConfigurationError(UserError):
    """A file or setting is missing or wrong."""

    exit_code = CONFIGURATION


class NodeError(UserError):
    """The chain cannot be reached, or is another one."""

    exit_code = NODE


class NoKey(UserError):
    """No key to sign with."""

    exit_code = KEY


class RefusedError(UserError):
    """The market would refuse."""

    exit_code = REFUSED


class NotConfirmed(UserError):
    """The question was answered with no."""

    exit_code = NOT_CONFIRMED


def describe(error: BaseException) -> tuple[int, str]:
    """Exit code and line of an error of any layer."""
    if isinstance(error, UserError):
        return error.exit_code, str(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted"
    # Imported here: whoever raised these has imported them, and `--help` needs none of them.
    from requests.exceptions import RequestException
    from web3.exceptions import Web3Exception

    from peerwatt.bridge import BridgeAway, BridgeRefused
    from peerwatt.extras import MissingExtra
    from peerwatt.market.deploy_checks import DeploymentRefused, WrongChain
    from peerwatt.market.deploying import DeploymentFailed
    from peerwatt.market.deployment import ManifestError
    from peerwatt.market.neighbours import NoNeighbours
    from peerwatt.market.parameters import ParametersError
    from peerwatt.operator.consent import ConsentError
    from peerwatt.refusals.base import MarketError
    from peerwatt.wallet.keystores import KeystoreError

    if isinstance(error, MarketError):
        return (USAGE if error.reason is None else REFUSED), str(error)
    if isinstance(error, BridgeRefused):
        return REFUSED, str(error)
    if isinstance(error, KeystoreError):
        return KEY, str(error)
    configuration = (
        ManifestError,
        ConsentError,
        ParametersError,
        DeploymentRefused,
        NoNeighbours,
        MissingExtra,
    )
    if isinstance(error, configuration):
        return CONFIGURATION, str(error)
    if isinstance(error, WrongChain | DeploymentFailed | BridgeAway):
        return NODE, str(error)
    if isinstance(error, RequestException | Web3Exception):
        return NODE, f"the node did not do what was asked ({_one_line(error)}); check it, then try again"
    if isinstance(error, OSError) and error.filename is not None:
        return CONFIGURATION, f"{error.filename}: {error.strerror}; name another file or mend this one"
    return UNEXPECTED, f"unexpected {type(error).__name__}: {_one_line(error)}; run again with --debug and report it"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
