"""Phone numbers as people write them, and what may never pass for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.numbers import (
    InvalidNumber,
    Written,
    is_emergency,
    is_short,
    is_toll_free,
    normalise,
    read_number,
    region_of,
    time_zones,
    validated,
)

MOBILE = "+8613800138000"


@pytest.mark.parametrize(
    "written",
    ["13800138000", "013800138000", "+8613800138000", "008613800138000", "86 138 0013 8000", "138-0013-8000",
     "１３８００１３８０００", "＋８６　１３８００１３８０００", " 138 0013 8000\n", "(+86) 138.0013.8000"],
)  # fmt: skip
def test_one_number_however_it_is_written(written: str) -> None:
    assert normalise(written, "CN") == MOBILE


@pytest.mark.parametrize(
    "written",
    ["010-12345678转123", "010-12345678 转 123", "(010) 1234 5678 ext. 123", "+86 10 12345678 x123", "010-12345678转分机123",
     "01012345678#123", "010-12345678 分机:123"],
)  # fmt: skip
def test_an_extension_is_kept_apart_from_the_number(written: str) -> None:
    assert read_number(written, "CN") == Written("+861012345678", "123")


@pytest.mark.parametrize(
    "attack",
    ["", "abc", "138001380001234", "1380013800", "95588", "110", "${EXTEN}", "13800138000&PJSIP/evil", "138\r\n00138000",
     "13800138000,60,g", "1380013800０/x", "+86138\x0000138000", "9" * 5000, "+99912345678", "1-800-FLOWERS"],
)  # fmt: skip
def test_what_is_no_number_is_refused(attack: str) -> None:
    with pytest.raises(InvalidNumber) as caught:
        normalise(attack, "CN")
    assert (caught.value.code, caught.value.status) == ("invalid-number", 422)
    assert "\n" not in caught.value.detail
    assert len(caught.value.detail) < 300


@given(st.text(max_size=30))
def test_whatever_is_typed_becomes_e164_or_is_refused(text: str) -> None:
    try:
        number = normalise(text, "CN")
    except InvalidNumber:
        return
    assert validated(number) == number


def test_only_e164_is_validated() -> None:
    assert validated(MOBILE) == MOBILE
    for wrong in ("13800138000", "+86 13800138000", "+861380013800", "+8613800138000\n"):
        with pytest.raises(InvalidNumber):
            validated(wrong)


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        (MOBILE, ("Asia/Shanghai",)),
        ("+12125550100", ("America/New_York",)),
        ("+14805551234", ("America/Phoenix",)),
        ("+18005550100", ()),
        ("+868008208820", ()),
        ("+864008208820", ()),
        ("not a number", ()),
    ],
)
def test_a_number_speaks_for_its_zones_and_a_toll_free_one_for_none(number: str, zones: tuple[str, ...]) -> None:
    assert time_zones(number) == zones


def test_a_mobile_of_a_country_of_many_zones_speaks_for_all_of_them() -> None:
    assert {"Australia/Perth", "Australia/Sydney"} <= set(time_zones("+61400000000"))


def test_region_and_toll_free() -> None:
    assert (region_of(MOBILE), region_of("+12125550100"), region_of("+80012345678")) == ("CN", "US", None)
    assert is_toll_free("+18005550100")
    assert not is_toll_free(MOBILE)


@pytest.mark.parametrize(
    ("digits", "region", "expected"),
    [("110", "CN", True), ("119", "CN", True), ("120", "CN", True), ("122", "CN", True), ("１１０", "CN", True),
     ("911", "US", True), ("999", "GB", True), ("000", "AU", True), ("1100", "CN", False), ("95588", "CN", False),
     ("13800138000", "CN", False), ("", "CN", False), ("abc", "US", False)],
)  # fmt: skip
def test_emergency_numbers_are_known(digits: str, region: str, expected: bool) -> None:
    assert is_emergency(digits, region) == expected


def test_short_numbers_are_nobodys_to_collect_from() -> None:
    assert is_short("95588", "CN")
    assert is_short("110", "CN")
    assert not is_short("13800138000", "CN")
    assert not is_short("no", "CN")
