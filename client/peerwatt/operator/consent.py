"""Consent files: a home's signed wish to join, which it sends to the operator.

JSON, so that it can be mailed and read. It names account, meter, registers and deadline and nothing else: who lives
where the operator knows from elsewhere, and keeps for itself.

    {
      "format": "peerwatt consent",
      "version": 1,
      "primaryType": "Enrolment",
      "domain": {"name": "peerwatt", "version": "1", "chainId": 31337, "verifyingContract": "0x..."},
      "message": {"account": "0x...", "meter": "0x...", "importedWh": "0", "exportedWh": "0", "deadline": "1796000000"},
      "signatures": {"account": "0x...", "meter": "0x..."}
    }

Domain and message are those of `eth_signTypedData_v4`; a signature is 65 bytes r, s, v.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peerwatt.exceptions import BadMeter, EnrolledRegisterOverflow, EnrolmentExpired
from peerwatt.refusals.base import MarketError
from peerwatt.signing import Domain, Enrolment, Signature, check_signer
from peerwatt.units import MAX_ENERGY_WH

FORMAT, VERSION = "peerwatt consent", 1
FIELDS = ("format", "version", "primaryType", "domain", "message", "signatures")
# A consent is about a thousand bytes; a larger file is something else.
MAX_BYTES = 65_536


class ConsentError(ValueError):
    """The file is no consent, or is one for another market."""


@dataclass(frozen=True)
class Consent:
    """An enrolment signed by account and meter.

    Attributes:
        domain: the market it is for.
        enrolment: what both signed.
        account_signature, meter_signature: of the two.
    """

    domain: Domain
    enrolment: Enrolment
    account_signature: Signature
    meter_signature: Signature

    @property
    def words(self) -> tuple[int, int, int, int]:
        """The four signature words as `enrol` takes them: r and vs of the account, r and vs of the meter."""
        account, meter = self.account_signature, self.meter_signature
        return account.r, account.vs, meter.r, meter.vs

    def check(self, domain: Domain, now_s: int) -> None:
        """Makes sure that the market would take the signatures, as far as the file tells.

        Args:
            domain: of the market that the home shall join.
            now_s: the chain's time [Unix s].
        Raises:
            ConsentError: it is for another chain or another market.
            EnrolmentExpired: its deadline has passed.
            BadMeter: the meter is the account itself.
            EnrolledRegisterOverflow: a register is 2^48 Wh or more.
            BadSignature: account or meter did not sign this.
        """
        account, meter = self.enrolment.account, self.enrolment.meter
        if self.domain.chain_id != domain.chain_id:
            raise ConsentError(
                f"the consent of {account} is for chain {self.domain.chain_id}, the market is on chain "
                f"{domain.chain_id}; have it signed for this one"
            )
        if self.domain.verifying_contract != domain.verifying_contract:
            raise ConsentError(
                f"the consent of {account} is for the market {self.domain.verifying_contract}, this is "
                f"{domain.verifying_contract}; have it signed for this one"
            )
        if self.enrolment.deadline < now_s:
            raise EnrolmentExpired(account=account, deadline=self.enrolment.deadline, now=now_s)
        if meter == account:
            raise BadMeter(account=account, meter=meter)
        if max(self.enrolment.imported_wh, self.enrolment.exported_wh) > MAX_ENERGY_WH:
            raise EnrolledRegisterOverflow(
                imported_wh=self.enrolment.imported_wh, exported_wh=self.enrolment.exported_wh
            )
        check_signer(self.enrolment, domain, self.account_signature, account)
        check_signer(self.enrolment, domain, self.meter_signature, meter)

    def to_json(self) -> dict[str, Any]:
        """The content of its file."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "primaryType": "Enrolment",
            "domain": self.domain.to_json(),
            "message": self.enrolment.to_json(),
            "signatures": {
                "account": f"0x{self.account_signature.to_bytes().hex()}",
                "meter": f"0x{self.meter_signature.to_bytes().hex()}",
            },
        }

    def save(self, path: Path) -> None:
        """Writes a new file.

        Raises:
            ConsentError: the file exists; nothing is ever overwritten.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(self.to_json(), indent=2) + "\n")
        except FileExistsError:
            raise ConsentError(f"{path} exists; name another file, nothing is overwritten") from None

    @classmethod
    def load(cls, path: Path) -> Consent:
        """Reads a file. Whether the signatures are right tells `check`.

        Raises:
            ConsentError: no consent file, or one of a version that this program does not know.
        """
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ConsentError(f"{path} is too large for a consent file; name another file")
            fields = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConsentError(f"{path} cannot be read ({error.strerror}); name another file") from None
        except (ValueError, RecursionError) as error:
            if isinstance(error, ConsentError):
                raise
            raise ConsentError(f"{path} is no consent file, it is not JSON; name another file") from None
        try:
            return cls.from_json(fields)
        except (ConsentError, MarketError) as error:
            raise ConsentError(f"{path}: {error}") from None

    @classmethod
    def from_json(cls, fields: Any) -> Consent:
        """The consent of a file's content.

        Raises:
            ConsentError: no consent, or of an unknown version.
            MarketError: an address, number or signature in it is none.
        """
        if not isinstance(fields, dict) or fields.get("format") != FORMAT:
            raise ConsentError("this is no consent file; make one with: peerwatt join")
        if fields.get("version") != VERSION:
            raise ConsentError(
                f"this is version {fields.get('version')!r} of the consent file, this program reads {VERSION}; "
                "use the same release of peerwatt on both sides"
            )
        if set(fields) != set(FIELDS):
            wrong = ", ".join(sorted(set(fields) ^ set(FIELDS)))
            raise ConsentError(f"missing or unknown fields: {wrong}; have the home write it again: peerwatt join")
        if fields["primaryType"] != "Enrolment":
            raise ConsentError(f"this is a signed {fields['primaryType']!r} and not an Enrolment; name another file")
        domain, message = _dict(fields, "domain"), _dict(fields, "message")
        signatures = _dict(fields, "signatures")
        if set(signatures) != {"account", "meter"}:
            raise ConsentError("there are not the two signatures of account and meter; have both sign")
        read = Domain(domain.get("chainId", -1), domain.get("verifyingContract", ""))
        if read.to_json() != {**domain, "verifyingContract": read.verifying_contract}:
            raise ConsentError(f"the domain is not peerwatt's ({domain}); have it signed again: peerwatt join")
        return cls(
            read,
            Enrolment.from_json(message),
            Signature.from_hex(signatures["account"]),
            Signature.from_hex(signatures["meter"]),
        )


def _dict(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields[name]
    if not isinstance(value, dict):
        raise ConsentError(f"its {name} is {value!r}; have the home write it again: peerwatt join")
    return value
