"""What every test shares: in CI a skip fails, what hangs fails, and hypothesis never fails for being slow."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import pytest
from boa.contracts.vyper.vyper_contract import VyperContract
from hypothesis import HealthCheck, Phase, settings

# On each revert titanoboa writes a contract's whole storage into its repr; it takes nested mappings of one contract for
# those of another and raises.
VyperContract.__repr__ = lambda self: f"<{self.compiler_data.contract_path} at {self.address}>"

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)
STEPS = 50
# No test takes a fifth of it on two cores: what takes longer waits for something that won't come.
HANGS_S = 600
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile(
    "short",
    deadline=None,
    max_examples=30,
    stateful_step_count=STEPS,
    suppress_health_check=SLOW,
    # Without `explain`: it traces every line of py-evm, which takes minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    print_blob=True,
)
# A number of calls: hypothesis makes up to STEPS of them in each example of a stateful test.
settings.register_profile(
    "long",
    settings.get_profile("short"),
    max_examples=max(1, int(os.environ.get("PEERWATT_FUZZ") or 0) // STEPS),
)
settings.load_profile("long" if os.environ.get("PEERWATT_FUZZ") else "short")


def _fail_a_skip(report: Report) -> Report:
    if os.environ.get("CI") == "true" and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _fail_a_skip((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _fail_a_skip((yield))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not os.environ.get("PEERWATT_FUZZ"):
        for item in items:
            item.add_marker(pytest.mark.timeout(HANGS_S))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A run that is cut off has told what failed until then; the processes of xdist tell only the first one."""
    if os.environ.get("CI") == "true" and report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        print(f"\nFAILED {report.nodeid} ({report.when})\n{report.longreprtext}", file=sys.__stderr__, flush=True)


# ape's tests need its fixtures, and a chain that ape makes.
WITH_APE = Path(__file__).resolve().parent / "with_ape"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`ape test` runs what is in tests/with_ape and nothing else; `pytest` leaves just that out.

    Paths on the command line are obeyed in both cases.
    """
    inside = collection_path.is_relative_to(WITH_APE)
    # This is how `ape test` starts pytest.
    if "ape_test" in (config.invocation_params.plugins or ()):
        by_default = config.args_source is pytest.Config.ArgsSource.TESTPATHS
        return True if by_default and not inside and collection_path not in WITH_APE.parents else None
    asked_for = any(Path(arg.partition("::")[0]).resolve().is_relative_to(WITH_APE) for arg in config.args)
    return True if inside and not asked_for else None
