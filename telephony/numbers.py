"""Phone numbers: whatever people type to one E.164 form, what kind it is, and the time zones it speaks for.

Only what `normalise` or `validated` returned may reach Dial(), a file name or an AMI header.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType
from phonenumbers import timezone as number_zones
from phonenumbers.shortnumberinfo import is_emergency_number, is_valid_short_number_for_region

from config.errors import Fault

_E164 = re.compile(r"\+[1-9][0-9]{2,14}")
_WRITTEN = re.compile(r"(?:tel:)?[+0-9()\[\]./\-‐‑‒–—−\s]+", re.IGNORECASE)
_EXTENSION = re.compile(
    r"\s*(?:[转轉]?分[机機]|转|轉|ext\.?|extension|x|;ext=|#|,)\s*:?\s*([0-9]{1,8})\s*#?\s*$", re.IGNORECASE
)
_LONGEST = 64
_NO_PLACE = frozenset(
    {
        PhoneNumberType.TOLL_FREE, PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.VOIP,
        PhoneNumberType.PERSONAL_NUMBER, PhoneNumberType.PAGER, PhoneNumberType.UAN, PhoneNumberType.VOICEMAIL,
    }
)  # fmt: skip


class InvalidNumber(Fault):
    """What was given is no phone number that could be called."""

    code: ClassVar[str] = "invalid-number"
    status: ClassVar[int] = 422
    title: ClassVar[str] = "Not a phone number"


@dataclass(frozen=True, slots=True)
class Written:
    """A number as somebody wrote it: its E.164 form and the extension behind it, digits or None."""

    e164: str
    extension: str | None = None


def read_number(text: str, region: str | None) -> Written:
    """Read what somebody wrote: full-width digits, spaces, `转`/`ext`, national or international, in a default region.

    With region CN, 138…, 0138…, +86138… and 0086138… are one number. Raises InvalidNumber.
    """
    if len(text) > _LONGEST:
        raise InvalidNumber(f"a phone number has at most {_LONGEST} characters, and this has {len(text)}")
    plain = unicodedata.normalize("NFKC", text).strip()
    extension = None
    if found := _EXTENSION.search(plain):
        plain, extension = plain[: found.start()].rstrip(), found.group(1)
    if not _WRITTEN.fullmatch(plain):
        raise InvalidNumber(f"{text!r} is not a phone number: only digits, spaces and + ( ) - . / belong in one")
    try:
        parsed = phonenumbers.parse(plain, region)
    except NumberParseException as error:
        raise InvalidNumber(f"{text!r} is not a phone number: {error}") from None
    if not phonenumbers.is_valid_number(parsed):
        raise InvalidNumber(f"{text!r} is not a number that {_whose(parsed)} gives out")
    return Written(phonenumbers.format_number(parsed, PhoneNumberFormat.E164), extension)


def normalise(text: str, region: str | None) -> str:
    """The E.164 form of a number as written, its extension left out. Raises InvalidNumber."""
    return read_number(text, region).e164


def validated(e164: str) -> str:
    """The number itself, if it is a valid one in E.164 form already. Raises InvalidNumber."""
    if not _E164.fullmatch(e164) or normalise(e164, None) != e164:
        raise InvalidNumber(f"{e164!r} is not a valid number in E.164 form, like +8613800138000")
    return e164


@lru_cache(maxsize=4096)
def time_zones(e164: str) -> tuple[str, ...]:
    """The tz database zones a number speaks for; none for toll-free and other numbers that are of no place.

    Numbers move with people, so this is one indication among others, never the location by itself.
    """
    number = _parse(e164)
    if number is None or phonenumbers.number_type(number) in _NO_PLACE:
        return ()
    return tuple(zone for zone in number_zones.time_zones_for_number(number) if zone != "Etc/Unknown")


def region_of(e164: str) -> str | None:
    """The ISO country of a number, "CN" or "US"; None for one of no country, such as +800."""
    number = _parse(e164)
    region = phonenumbers.region_code_for_number(number) if number else None
    return None if region in (None, "001") else str(region)


def is_toll_free(e164: str) -> bool:
    """Whether the called party pays, so that the number is of no place."""
    number = _parse(e164)
    return number is not None and phonenumbers.number_type(number) == PhoneNumberType.TOLL_FREE


def is_emergency(dialled: str, region: str) -> bool:
    """Whether the digits are an emergency number of the region: 110, 119, 120, 122 in CN, 911 in US."""
    digits = unicodedata.normalize("NFKC", dialled).strip()
    return bool(digits.isdigit() and (digits in _EMERGENCY.get(region, ()) or is_emergency_number(digits, region)))


def is_short(dialled: str, region: str) -> bool:
    """Whether the digits are a short number of the region, like 95588 or 12315: nobody's number to collect from."""
    digits = unicodedata.normalize("NFKC", dialled).strip()
    if not digits.isdigit():
        return False
    try:
        parsed = phonenumbers.parse(digits, region)
    except NumberParseException:
        return False
    return is_emergency(digits, region) or bool(is_valid_short_number_for_region(parsed, region))


_EMERGENCY = {"CN": ("110", "119", "120", "122")}


def _parse(e164: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(e164, None)
    except NumberParseException:
        return None


def _whose(number: PhoneNumber) -> str:
    code = number.country_code or 0
    region = phonenumbers.region_code_for_country_code(code)
    return f"+{code}" if region in ("ZZ", "001") else f"{region} (+{code})"
