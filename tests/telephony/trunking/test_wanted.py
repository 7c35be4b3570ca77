"""What a trunk is on the PBX, as text: its objects, and a diff that never shows a secret."""

from typing import Any

import pytest
from pydantic import ValidationError

from telephony.trunking.wanted import Managed, Setup, difference, sections_of


def managed(name: str = "acme", secret: str | None = "one", **fields: Any) -> Managed:
    setup = {"host": "sip.carrier.example", "username": "user", "register": True, **fields}
    return Managed(name, Setup.model_validate(setup), secret)


def lines(trunk: Managed, section: str) -> dict[str, str]:
    return next(dict(one.lines) for one in trunk.sections() if one.name == section)


def test_a_trunk_is_five_objects_of_names_that_are_all_its_own() -> None:
    names = [section.name for section in managed().sections()]
    assert names == [
        "ringfence-acme", "ringfence-acme-aor", "ringfence-acme-auth", "ringfence-acme-registration", "ringfence-acme-identify",
    ]  # fmt: skip
    assert lines(managed(), "ringfence-acme")["context"] == "ringfence-inbound"
    assert lines(managed(), "ringfence-acme-registration")["server_uri"] == "sip:sip.carrier.example:5060"


def test_without_a_login_it_has_none() -> None:
    trunk = managed(secret=None, username=None, register=False)
    assert [section.name for section in trunk.sections()] == [
        "ringfence-acme", "ringfence-acme-aor", "ringfence-acme-identify",
    ]  # fmt: skip
    assert "outbound_auth" not in lines(trunk, "ringfence-acme")


@pytest.mark.parametrize(
    ("fields", "contact"),
    [
        ({"host": "2001:db8::1"}, "sip:[2001:db8::1]:5060"),
        ({"host": "[2001:db8::1]"}, "sip:[2001:db8::1]:5060"),
        ({"host": "10.0.0.1", "port": 5070, "transport": "tls"}, "sip:10.0.0.1:5070;transport=tls"),
    ],
)
def test_the_carriers_address_is_a_sip_uri(fields: dict[str, Any], contact: str) -> None:
    assert lines(managed(**fields), "ringfence-acme-aor")["contact"] == contact


@pytest.mark.parametrize(
    "host", ["", "a b", "a;b", "a/b", "-a", "a..b", "1.2.3", "1.2.3.4:5060", "x" * 64, "${X}", "a\nb"]
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ValidationError):
        managed(host=host)


@pytest.mark.parametrize("secret", ["plain", "password=tricky", "a] password=b", "--- +++ @@"])
def test_a_diff_tells_that_a_secret_changes_but_never_which(secret: str) -> None:
    old, new = sections_of([managed(secret=secret)]), sections_of([managed(secret=f"{secret}2", port=5061)])
    told = difference(old, new)
    assert "-[ringfence-acme-auth] password=(hidden)" in told
    assert "+[ringfence-acme-auth] password=(hidden)" in told
    assert "+[ringfence-acme-aor] contact=sip:sip.carrier.example:5061" in told
    assert not any(secret in line for line in told)
    assert difference(old, old) == ()


def test_the_file_is_the_same_in_whatever_order_trunks_are_given() -> None:
    one, two = managed("b"), managed("A")
    assert sections_of([one, two]) == sections_of([two, one])
    first, *_ = sections_of([one, two])
    assert first.name == "ringfence-A"


def test_only_a_pbx_that_knows_it_is_told_to_log_in_at_once() -> None:
    new = sections_of([managed()], at_once=True)
    old = sections_of([managed()])
    assert difference(old, new) == ("+[ringfence-acme-registration] max_random_initial_delay=0",)
