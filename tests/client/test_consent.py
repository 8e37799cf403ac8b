"""Consent files: what is written is what is read, and everything else is refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from peerwatt.exceptions import BadMeter, BadSignature, EnrolledRegisterOverflow, EnrolmentExpired
from peerwatt.operator.consent import Consent, ConsentError
from peerwatt.signing import Domain, Enrolment, recover, sign

KEY, METER_KEY, OTHER = (bytes(keccak(text=f"peerwatt test consent {name}")) for name in ("a", "m", "o"))
ACCOUNT, METER = (str(Account.from_key(key).address) for key in (KEY, METER_KEY))
DOMAIN = Domain(31337, "0x00000000000000000000000000000000000000A1")
NOW_S, DEADLINE_S = 1_800_000_000, 1_800_604_800


def make(account_key: bytes = KEY, meter_key: bytes = METER_KEY, **changes: Any) -> Consent:
    fields = {"account": ACCOUNT, "meter": METER, "imported_wh": 1_234_567, "exported_wh": 89, "deadline": DEADLINE_S}
    message = Enrolment(**{**fields, **changes})
    return Consent(DOMAIN, message, sign(message, DOMAIN, account_key), sign(message, DOMAIN, meter_key))


def test_save_and_load__comes_back_and_counts(tmp_path: Path) -> None:
    path = tmp_path / "new" / "consent.json"
    consent = make()
    consent.save(path)
    loaded = Consent.load(path)
    assert loaded == consent
    loaded.check(DOMAIN, NOW_S)
    loaded.check(DOMAIN, DEADLINE_S)
    r, vs, _, meter_vs = loaded.words
    assert (r, vs, meter_vs) == (consent.account_signature.r, consent.account_signature.vs, consent.meter_signature.vs)
    with pytest.raises(ConsentError, match="exists; name another file, nothing is overwritten"):
        consent.save(path)


def test_file__content__is_typed_data_that_wallets_sign(tmp_path: Path) -> None:
    fields = make().to_json()
    typed = Enrolment.from_json(fields["message"]).to_typed_data(DOMAIN)
    assert (typed["domain"], typed["primaryType"]) == (fields["domain"], fields["primaryType"])
    signed = Account.sign_typed_data(KEY, full_message=typed)
    assert f"0x{bytes(signed.signature).hex()}" == fields["signatures"]["account"]


@pytest.mark.parametrize(
    ("consent", "domain", "now_s", "error", "says"),
    [
        (make(), Domain(1, DOMAIN.verifying_contract), NOW_S, ConsentError, "is for chain 31337, the market is on"),
        (make(), Domain(31337, ACCOUNT), NOW_S, ConsentError, f"is for the market {DOMAIN.verifying_contract}, this"),
        (make(), DOMAIN, DEADLINE_S + 1, EnrolmentExpired, f"deadline={DEADLINE_S}"),
        (make(KEY, KEY, meter=ACCOUNT), DOMAIN, NOW_S, BadMeter, "key of its own"),
        (make(exported_wh=2**48), DOMAIN, NOW_S, EnrolledRegisterOverflow, "registers are in Wh"),
        (make(account_key=OTHER), DOMAIN, NOW_S, BadSignature, f"signer={ACCOUNT}"),
        (make(meter_key=OTHER), DOMAIN, NOW_S, BadSignature, f"signer={METER}"),
    ],
)
def test_check__consent_that_the_market_would_refuse__says_why(
    consent: Consent, domain: Domain, now_s: int, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        consent.check(domain, now_s)


def test_check__any_field_changed__is_not_what_was_signed() -> None:
    consent = make()
    for name in ("imported_wh", "exported_wh", "deadline"):
        message = Enrolment(**{**vars(consent.enrolment), name: getattr(consent.enrolment, name) + 1})
        assert recover(message, DOMAIN, consent.account_signature) != ACCOUNT
        with pytest.raises(BadSignature):
            Consent(DOMAIN, message, consent.account_signature, consent.meter_signature).check(DOMAIN, NOW_S)


def change(*names: str, value: Any) -> str:
    fields = make().to_json()
    inner = fields
    for name in names[:-1]:
        inner = inner[name]
    inner[names[-1]] = value
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no consent file, it is not JSON"),
        ("\ud800", "is no consent file, it is not JSON"),
        ("[" * 30_000, "is no consent file, it is not JSON"),
        (" " * 70_000, "is too large for a consent file"),
        ("[]", "make one with: peerwatt join"),
        ('{"version": 3, "crypto": {}}', "make one with: peerwatt join"),
        (change("version", value=2), "this is version 2 of the consent file, this program reads 1"),
        (change("note", value="hello"), "missing or unknown fields: note"),
        (change("primaryType", value="Withdrawal"), "is a signed 'Withdrawal' and not an Enrolment"),
        (change("domain", value=None), "its domain is None"),
        (change("domain", "name", value="other"), "the domain is not peerwatt's"),
        (change("domain", "chainId", value="31337"), "give an int in whole units"),
        (change("domain", "verifyingContract", value="0x12"), "not an address"),
        (change("message", "account", value=ACCOUNT.swapcase().replace("0X", "0x")), "whose checksum is wrong"),
        (change("message", "importedWh", value="1.5"), "is not a decimal integer"),
        (change("message", "importedWh", value=None), "give an int in whole units"),
        (change("message", "street", value="Marina 1"), "missing or unknown fields: street"),
        (change("signatures", value={"account": "0x00"}), "not the two signatures of account and meter"),
        (change("signatures", "meter", value="0x1234"), "this has 2 bytes"),
        (change("signatures", "meter", value=None), "is not hex"),
    ],
)
def test_load__anything_else__one_line_with_the_file(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "consent.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConsentError) as error:
        Consent.load(path)
    assert says in str(error.value) and str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_load__no_file__says_so(tmp_path: Path) -> None:
    with pytest.raises(ConsentError, match="cannot be read"):
        Consent.load(tmp_path / "gone.json")
