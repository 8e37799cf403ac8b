"""Signed reports in a file, so that anyone can relay them: a meter needs no connection to a chain.

    {
      "format": "peerwatt reports",
      "version": 1,
      "domain": {"name": "peerwatt", "version": "1", "chainId": 31337, "verifyingContract": "0x..."},
      "reports": [{"message": {"meter": "0x...", "side": 1, "firstWindow": 2000000, "registers": ["0", "950"]},
                   "signature": "0x..."}]
    }

Domain and message are those of `eth_signTypedData_v4`; a signature is 65 bytes r, s, v.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peerwatt.meter.submission import SignedReport
from peerwatt.refusals.base import MarketError
from peerwatt.signing import Domain, Report, Signature

FORMAT, VERSION = "peerwatt reports", 1
# A report of 224 windows takes about five thousand bytes.
MAX_BYTES = 4_000_000


class ReportFileError(ValueError):
    """The file has no signed reports, or reports for another market."""


def to_json(domain: Domain, reports: Sequence[SignedReport]) -> dict[str, Any]:
    """The content of a file."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "domain": domain.to_json(),
        "reports": [
            {"message": signed.report.to_json(), "signature": f"0x{signed.signature.to_bytes().hex()}"}
            for signed in reports
        ],
    }


def load_reports(path: Path, domain: Domain) -> list[SignedReport]:
    """The reports of a file. Who signed them tells `plan_steps`.

    Raises:
        ReportFileError: no such file, for another market, or of several meters.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ReportFileError(f"{path} is too large for a file of reports; name another file")
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportFileError(f"{path} cannot be read ({error.strerror}); name another file") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, ReportFileError):
            raise
        raise ReportFileError(f"{path} is no file of reports, it is not JSON; name another file") from None
    if not isinstance(fields, dict) or fields.get("format") != FORMAT or fields.get("version") != VERSION:
        raise ReportFileError(
            f"{path} has no signed reports of version {VERSION}; write it with: peerwatt meter import --sign-only"
        )
    if fields.get("domain") != domain.to_json():
        raise ReportFileError(
            f"{path} is signed for {fields.get('domain')}, this market is {domain.to_json()}; "
            "name the right deployment, or have the meter sign again"
        )
    try:
        reports = [
            SignedReport(Report.from_json(entry["message"]), Signature.from_hex(entry["signature"]))
            for entry in fields["reports"]
        ]
    except (MarketError, LookupError, TypeError, AttributeError) as error:
        raise ReportFileError(f"{path} has a report that is none ({error}); have the meter sign again") from None
    if len({signed.report.meter for signed in reports}) != 1:
        raise ReportFileError(f"{path} has reports of no or of several meters; give each meter a file of its own")
    return reports
