"""Run the commands of docs/tutorial.md on a chain of their own, and write what they print into it.

    python scripts/record_tutorial.py            records
    python scripts/record_tutorial.py --check    changes nothing; exit 1 and a diff where something else is printed

A block that starts with ```console is run: each line after `$ ` is a command of a shell, what follows is what it
printed. Keys are new each time, so addresses, hashes, amounts of gas and seconds are compared by their kind only.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TUTORIAL = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = "$ "
LISTENING = "listening on "
# The chain of the tutorial starts here, so that its times are always the same.
START = "2027-06-01T10:02"
ZONE = "Africa/Lagos"
PASSWORD = "correct horse battery staple"
SAME_KIND = (
    (re.compile(r"0x[0-9a-fA-F]{64}"), "0x<hash>"),
    (re.compile(r"0x[0-9a-fA-F]{40}"), "0x<address>"),
    (re.compile(r"consent-[0-9a-f]{8}"), "consent-<account>"),
    (re.compile(r"\d[\d,]* gas"), "<gas> gas"),
    (re.compile(r"\d[\d.]* ETH"), "<amount> ETH"),
    (re.compile(r"\b(\d+ min( \d+ s)?|\d+ s)\b"), "<time>"),
    (re.compile(r"\d\d:\d\d:\d\d"), "<moment>"),
    (re.compile(r"block \d+"), "block <number>"),
)


@dataclass
class Step:
    """One command and what it prints."""

    command: str
    output: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join([PROMPT + self.command, *self.output])


def read_steps(block: str) -> list[Step]:
    """The commands of a block with the output that is written there."""
    steps: list[Step] = []
    for line in block.splitlines():
        if line.startswith(PROMPT):
            steps.append(Step(line.removeprefix(PROMPT)))
        else:
            steps[-1].output.append(line)
    return steps


def normalise(text: str) -> str:
    """The text with everything of one kind made equal that differs from run to run."""
    for pattern, kind in SAME_KIND:
        text = pattern.sub(kind, text)
    # Columns are as wide as what is in them.
    return re.sub(r" {2,}", "  ", text)


@contextmanager
def running_chain(peerwatt: list[str], folder: Path) -> Iterator[str]:
    """A chain that starts when the tutorial does; its URL."""
    log = folder / "node.log"
    with log.open("w") as printed:
        node = subprocess.Popen(
            [*peerwatt, "node", "--port", "0", "--time", f"{START}+01:00"], stdout=printed, stderr=subprocess.STDOUT
        )
    try:
        while not (first := log.read_text().partition("\n"))[1]:
            if node.poll() is not None:
                raise RuntimeError(f"the chain did not start: {log.read_text()}")
            time.sleep(0.1)
        yield first[0].removeprefix(LISTENING)
    finally:
        node.terminate()
        node.wait()


def environment(folder: Path, peerwatt: list[str], url: str) -> dict[str, str]:
    """What the tutorial's reader has: an empty home, the command, and the chain that runs."""
    programs = folder / "bin"
    programs.mkdir()
    script = programs / "peerwatt"
    script.write_text("#!/bin/sh\nexec " + " ".join(f'"{part}"' for part in peerwatt) + ' "$@"\n')
    script.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PEERWATT_", "ETH_", "XDG_"))}
    password = folder / "password"
    password.write_text(PASSWORD + "\n")
    return {
        **kept,
        "HOME": str(folder / "home"),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PEERWATT_RPC": url,
        "PEERWATT_TIME_ZONE": ZONE,
        # The reader types it; a recording can't.
        "ETH_PASSWORD": str(password),
        "COLUMNS": "120",
        "TERM": "dumb",
    }


def run(steps: list[Step], variables: dict[str, str], folder: Path) -> list[Step]:
    """The same commands with what they print now, in one folder."""
    done = []
    for step in steps:
        ended = subprocess.run(
            ["bash", "-c", step.command],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        text = ended.stdout.replace(str(folder.parent), "~").rstrip("\n")
        done.append(Step(step.command, [line.rstrip() for line in text.splitlines()]))
    return done


def replay(text: str, peerwatt: list[str]) -> str:
    """The tutorial with the output of a run now."""
    with tempfile.TemporaryDirectory(prefix="peerwatt-tutorial-") as name:
        folder = Path(name)
        work = folder / "home" / "trading"
        work.mkdir(parents=True)
        with running_chain(peerwatt, folder) as url:
            variables = environment(folder, peerwatt, url)

            def record(match: re.Match[str]) -> str:
                steps = run(read_steps(match[1]), variables, work)
                return "```console\n" + "\n".join(str(step) for step in steps) + "\n```"

            return BLOCK.sub(record, text)


def compare(written: str, printed: str) -> list[str]:
    """The lines in which a tutorial and a run of it differ, beyond what differs each time."""
    before, after = normalise(written).splitlines(), normalise(printed).splitlines()
    return list(difflib.unified_diff(before, after, "docs/tutorial.md", "this run", lineterm=""))


def main() -> int:
    """Records the tutorial, or checks it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    options = parser.parse_args()
    written = TUTORIAL.read_text(encoding="utf-8")
    printed = replay(written, [sys.executable, "-m", "peerwatt"])
    if options.check:
        differences = compare(written, printed)
        print("\n".join(differences))
        return 1 if differences else 0
    TUTORIAL.write_text(printed, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
