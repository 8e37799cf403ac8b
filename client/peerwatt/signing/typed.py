"""EIP-712 for frozen dataclasses: a class whose fields are annotated with `kinds` is a signed type.

`class Order(Message)` with `first_window: Uint32` is the type `Order(...,uint32 firstWindow,...)`: names and
sequence are the class's own, so that what is written once is what is hashed, signed, and shown by a wallet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, Self, get_type_hints

from eth_keys.datatypes import PrivateKey
from eth_keys.datatypes import Signature as RecoverableSignature
from eth_keys.exceptions import BadSignature as Unrecoverable
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from ..exceptions import BadKey, BadMessage, BadSignature, MalformedSignature
from .domain import Domain
from .kinds import Kind, check_address
from .signature import CURVE_ORDER, Signature


class SignedDomain(Protocol):
    """Where a signature counts: the market's `Domain`, or a token's."""

    @property
    def separator(self) -> bytes:
        """The domain separator, 32 bytes."""
        ...


class Field(NamedTuple):
    """One field of a signed type."""

    attribute: str
    name: str
    kind: Kind


@dataclass(frozen=True)
class Message:
    """Base of the signed types. Subclasses are frozen dataclasses with fields annotated by `kinds`.

    Raises:
        BadMessage: a field is not a value of its type; nothing is ever hashed that was not checked.
    """

    _fields: ClassVar[tuple[Field, ...]] = ()
    _type_hash: ClassVar[bytes] = b""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._fields = _read_fields(cls)
        cls._type_hash = bytes(keccak(text=cls.type_string()))

    def __post_init__(self) -> None:
        for field in self._fields:
            # Frozen: this is the one moment when a value is brought to its one form.
            value = field.kind.check(getattr(self, field.attribute), field.attribute)
            object.__setattr__(self, field.attribute, value)
        self._check()

    def _check(self) -> None:
        """What a field's type can't say; subclasses extend it."""

    @classmethod
    def fields(cls) -> tuple[Field, ...]:
        """The fields in the sequence in which they are signed."""
        return cls._fields

    @classmethod
    def type_string(cls) -> str:
        """`encodeType` of EIP-712."""
        return f"{cls.__name__}({','.join(f'{field.kind.name} {field.name}' for field in cls.fields())})"

    @classmethod
    def type_hash(cls) -> bytes:
        """Hash of the type string, 32 bytes."""
        return cls._type_hash

    def struct_hash(self) -> bytes:
        """`hashStruct` of EIP-712, 32 bytes."""
        words = [field.kind.encode(getattr(self, field.attribute)) for field in self.fields()]
        return bytes(keccak(b"".join((self.type_hash(), *words))))

    def digest(self, domain: SignedDomain) -> bytes:
        """What is signed, 32 bytes."""
        return bytes(keccak(b"\x19\x01" + domain.separator + self.struct_hash()))

    def to_json(self) -> dict[str, Any]:
        """The message by its signed names; integers over 32 bits as decimal strings."""
        return {field.name: field.kind.to_json(getattr(self, field.attribute)) for field in self.fields()}

    @classmethod
    def from_json(cls, message: Mapping[str, Any]) -> Self:
        """The message of `to_json`, or of a wallet.

        Raises:
            BadMessage: a field is missing, unknown, or no value of its type.
        """
        names = {field.name for field in cls.fields()}
        if set(message) != names:
            wrong = ", ".join(sorted(names ^ set(message)))
            raise BadMessage(f"missing or unknown fields: {wrong}; give those of {cls.type_string()}")
        return cls(**{field.attribute: field.kind.from_json(message[field.name]) for field in cls.fields()})

    def to_typed_data(self, domain: Domain) -> dict[str, Any]:
        """The argument of `eth_signTypedData_v4`: what a wallet shows and signs."""
        return {
            "types": {
                "EIP712Domain": Domain.fields(),
                type(self).__name__: [{"name": f.name, "type": f.kind.name} for f in self.fields()],
            },
            "primaryType": type(self).__name__,
            "domain": domain.to_json(),
            "message": self.to_json(),
        }


def sign(message: Message, domain: SignedDomain, key: bytes | str) -> Signature:
    """Signs a message.

    Args:
        message: any signed type.
        domain: the market it is for.
        key: private key, 32 bytes or their hex.
    Returns:
        The signature with the low s; the same every time (RFC 6979).
    Raises:
        BadKey: no private key. The message never shows it.
    """
    signature = _load_key(key).sign_msg_hash(message.digest(domain))
    return Signature.from_vrs(signature.v, signature.r, signature.s)


def recover(message: Message, domain: SignedDomain, signature: Signature) -> str:
    """Who signed.

    Returns:
        Checksum address; for a signature of anything else it is the address of nobody in particular.
    Raises:
        MalformedSignature: no key can have made the signature.
    """
    return recover_digest(message.digest(domain), signature)


def recover_digest(digest: bytes, signature: Signature) -> str:
    """Who signed what has this digest; as `recover`, for who has computed it already."""
    vrs = (signature.v - 27, signature.r, signature.s)
    try:
        public = RecoverableSignature(vrs=vrs).recover_public_key_from_msg_hash(digest)
    except (Unrecoverable, ValidationError, ValueError) as error:
        raise MalformedSignature("no key can have made this signature; sign again") from error
    return str(public.to_checksum_address())


def check_signer(message: Message, domain: SignedDomain, signature: Signature, signer: str) -> None:
    """Makes sure that a message is signed by the one who must sign it.

    Raises:
        BadSignature: signed by somebody else, for another market or chain, or with other fields.
        BadMessage: the signer is no address, or the zero address, which can never sign.
    """
    expected = check_address(signer, "signer")
    recovered = recover(message, domain, signature)
    if recovered != expected:
        raise BadSignature(signer=expected, recovered=recovered, message_type=type(message).__name__)


def _load_key(key: bytes | str) -> PrivateKey:
    if isinstance(key, str):
        try:
            key = bytes.fromhex(key.removeprefix("0x"))
        except ValueError:
            raise BadKey() from None
    if not _is_key(key):
        raise BadKey()
    return PrivateKey(bytes(key))


def _is_key(key: object) -> bool:
    return isinstance(key, bytes) and len(key) == 32 and 0 < int.from_bytes(key, "big") < CURVE_ORDER


def _read_fields(cls: type[Message]) -> tuple[Field, ...]:
    hints = get_type_hints(cls, include_extras=True)
    kinds = {name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")}
    return tuple(Field(name, _to_camel(name), kind) for name, kind in kinds.items())


def _to_camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
