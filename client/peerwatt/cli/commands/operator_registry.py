"""`peerwatt operator export` and `import`: the registry to a new market."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from peerwatt.cli import output, roles
from peerwatt.cli.errors import ConfigurationError, RefusedError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session


def register(operator: typer.Typer) -> None:
    """Adds the commands."""
    command(operator, "export")(export)
    command(operator, "import", asks=True)(import_)


def export(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it; a new file.")],
) -> None:
    """Write the registry and its scores to a file; anybody can, for everything in it is public."""
    from peerwatt.operator.registry_file import read_registry

    if file.exists():
        raise ConfigurationError(f"{file} exists; name another file, nothing is overwritten")
    with session.waiting("reading the registry"):
        registry = read_registry(session.gateway, session.deployment.parameters.window_seconds)
    content = registry.to_json()
    file.write_text(output.to_json(content) + "\n", encoding="utf-8")
    enrolled = sum(home.account is not None for home in registry.homes)
    session.emit(
        {"file": str(file), **content},
        f"{file}: {roles.many(registry.homes, 'connection')}, {enrolled} with an account, "
        f"{roles.many(list(registry.feeders), 'feeder')}, tariff version {registry.version}, as of block "
        f"{registry.block}",
    )


def import_(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Written by: peerwatt operator export.")],
    consents: Annotated[
        Path | None, typer.Option("--consents", metavar="DIR", help="Consents of the homes for the new market.")
    ] = None,
    without_scores: Annotated[
        bool, typer.Option("--without-scores", help="Go on although the scores stay behind.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and send nothing.")] = False,
) -> None:
    """Bring an old market's registry into this one. Run it again as further consents come in."""
    from peerwatt.operator import carrying
    from peerwatt.operator.applications import ENROLLED, READY, REFUSED
    from peerwatt.operator.enrolling import check_rows, enrol_rows
    from peerwatt.operator.registry_file import RegistryFile, RegistryFileError

    try:
        old = RegistryFile.load(file)
    except RegistryFileError as error:
        raise ConfigurationError(str(error)) from None
    if consents is not None and not consents.is_dir():
        raise ConfigurationError(f"{consents} is no folder; name the one with the homes' consents")
    gateway, clock = session.gateway, session.clock
    if old.market.lower() == gateway.deployment.market.lower() and old.chain_id == gateway.deployment.chain_id:
        raise RefusedError(f"{file} is of this very market; name the new market's manifest with --deployment")
    scores = carrying.names_predecessor(gateway, old)
    if not scores and not without_scores:
        named = gateway.registry.functions.predecessor().call()
        raise RefusedError(
            f"scores can't follow: this registry names {named} as its predecessor and not {old.registry}, and nobody "
            "can change that; deploy the new market with that predecessor, or go on with --without-scores"
        )
    steps, left = carrying.list_steps(gateway, old, clock.window)
    found = carrying.Consents({}, [])
    if consents is not None:
        found = carrying.read_consents(consents, session.domain, clock.now_s)
    rows, waiting = carrying.list_homes(old, found)
    operator = roles.holder(session, roles.OPERATOR)
    mine = {
        role: session.is_unlocked(roles.holder(session, role)) or _is_account(session, roles.holder(session, role))
        for role in roles.ROLES
    }
    session.say(
        "Scores follow by themselves: the new registry reads the old one."
        if scores
        else "Scores stay behind: every home starts like a newcomer."
    )
    for step in steps:
        session.say(f"  {roles.ROLES[step.role]}{'' if mine[step.role] else ' (somebody else)'}: {step.text}")
    left += [f"the revoked connection of {home.account}" for home in old.homes if home.account and not home.terms]
    for line in [*left, *carrying.NOT_CARRIED]:
        session.say(f"  not carried over: {line}")
    for line in found.problems:
        session.say(f"  no consent: {line}")
    transactions: list[str] = []
    acts = [step for step in steps if mine[step.role]]
    if not dry_run and acts:
        session.confirm(f"Do {roles.many(acts, 'act')} of {' and '.join(sorted({roles.ROLES[s.role] for s in acts}))}?")
        for step in acts:
            receipt = gateway.act(roles.sender_of(session, step.role), step.call)
            transactions.append(receipt["transactionHash"].to_0x_hex())
    # What a home can be refused for depends on the numbers above.
    if rows and not (dry_run and steps):
        check_rows(gateway, operator, rows)
    ready = [row for row in rows if row.outcome == READY]
    if rows or waiting:
        cells = [(row.place, row.outcome, row.problem or "") for row in rows]
        cells += [(account, "waits", "no consent for the new market yet") for account in waiting]
        session.say(output.table(("home", "outcome", "problem"), cells))
    if ready and not dry_run:
        session.confirm(f"Enrol {roles.many(ready, 'home')} as the operator {operator}?")
        for receipt in enrol_rows(gateway, roles.sender_of(session, roles.OPERATOR), rows):
            transactions.append(receipt["transactionHash"].to_0x_hex())
    refused = [row for row in rows if row.outcome == REFUSED]
    enrolled = [row for row in rows if row.outcome == ENROLLED]
    session.emit(
        {
            "dry_run": dry_run,
            "scores_follow": scores,
            "acts": [
                {"role": roles.ROLES[step.role], "text": step.text, "done": mine[step.role] and not dry_run}
                for step in steps
            ],
            "not_carried": [*left, *carrying.NOT_CARRIED],
            "homes": [
                {"account": row.place, "connection": row.number, "outcome": row.outcome, "problem": row.problem}
                for row in rows
            ],
            "waiting": waiting,
            "transactions": transactions,
        },
        f"{len(enrolled)} enrolled, {len(ready) - len(enrolled)} ready, {len(refused)} refused, {len(waiting)} wait "
        "for a consent; each of those homes writes one with: peerwatt join",
    )
    if refused:
        raise RefusedError(f"{roles.many(refused, 'home')} refused; {refused[0].place}: {refused[0].problem}")


def _is_account(session: Session, address: str) -> bool:
    """Whether --account holds a role."""
    return session.settings["account"] is not None and session.address == address
