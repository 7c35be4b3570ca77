"""What `pbx check` finds on a real Asterisk that lacks something, and that it finds nothing on one that lacks nothing."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from config import clock
from crm_bridge.demo.asterisk_root import ensure_root
from crm_bridge.demo.instance import AsteriskInstance
from crm_bridge.demo.lab import Lab
from crm_bridge.demo.pbx import stock_pbx
from telephony.ami import AmiAccount, AmiLink, PbxUnavailable
from telephony.pbx_setup.check import Finding, Severity, check
from telephony.pbx_setup.dialplan import DESK, FAMILY, FILE, DialplanSettings
from telephony.pbx_setup.plan import apply
from tests.support.agi_stub import AgiStub
from tests.support.ami_owner import linked

pytestmark = pytest.mark.flow


@pytest.fixture
async def pbx() -> AsyncIterator[AsteriskInstance]:
    """A PBX as its admin left it, for one test to change; no carrier answers it."""
    instance = stock_pbx(ensure_root(), carrier_port=5999, phone_secret="not-used")
    try:
        yield instance
    finally:
        await instance.close()


@asynccontextmanager
async def up(pbx: AsteriskInstance, username: str = "") -> AsyncIterator[AmiLink]:
    username = username or pbx.ami_username
    async with linked(AmiAccount("lab", "127.0.0.1", pbx.ami_port, username, SecretStr(pbx.ami_secret))) as link:
        await link.connected(10)
        yield link


def settings(pbx: AsteriskInstance, gate: str = "127.0.0.1:1") -> DialplanSettings:
    return DialplanSettings(gate=gate, spool=f"{pbx.spool_pbx}/ringfence")


def spool(pbx: AsteriskInstance) -> Path:
    return pbx.spool_local / "ringfence"


def found(findings: list[Finding], *, but: tuple[str, ...] = ()) -> dict[str, Severity]:
    return {finding.code: finding.severity for finding in findings if finding.code not in but}


async def test_a_pbx_that_lacks_nothing_has_no_findings() -> None:
    async with Lab() as lab, AgiStub({}) as gate, up(lab.pbx) as link:
        phones = [str(number) for number in range(1001, 1013)]
        ours = settings(lab.pbx, gate.address)
        await apply(link, ours, phones=phones)
        await link.send("DBPut", {"Family": FAMILY, "Key": "emergency-trunks", "Val": "carrier-a"})
        assert await check(link, ours, spool_local=spool(lab.pbx), trunks=["carrier-a", "carrier-b"]) == []
        assert [path for path, _ in gate.asked] == ["probe"]
        assert list(spool(lab.pbx).iterdir()) == []
        assert (await link.send("DBGetTree", {"Family": FAMILY, "Key": "probe"})).events == ()


async def test_a_stock_pbx_lacks_our_dialplan_and_nothing_of_asterisk(pbx: AsteriskInstance) -> None:
    await pbx.start()
    async with up(pbx) as link:
        findings = await check(link, settings(pbx), spool_local=spool(pbx))
    assert found(findings) == {
        "file-missing": Severity.ERROR,
        "include-missing": Severity.ERROR,
        "context-missing": Severity.ERROR,
        "phone-context": Severity.WARNING,
        "emergency-trunks-missing": Severity.WARNING,
    }
    assert all(finding.mend.endswith(".") and finding.where and finding.message for finding in findings)
    assert [finding.severity for finding in findings] == sorted(
        (finding.severity for finding in findings), key=list(Severity).index
    )


async def test_what_was_altered_by_hand_is_told_by_context(pbx: AsteriskInstance) -> None:
    await pbx.start()
    async with up(pbx) as link, AgiStub({}) as gate:
        ours = settings(pbx, gate.address)
        await apply(link, ours)
        pbx.write(FILE, (pbx.etc / FILE).read_text().replace("RINGFENCE_VERDICT", "RINGFENCE_OTHER", 1))
        await pbx.console("dialplan reload")
        findings = await check(link, ours, spool_local=spool(pbx))
    assert found(findings, but=("phone-context", "emergency-trunks-missing")) == {
        "file-altered": Severity.ERROR,
        "context-altered": Severity.ERROR,
    }
    assert [finding.where for finding in findings if finding.code == "context-altered"] == ["dialplan, ringfence-gate"]


@pytest.mark.parametrize(
    ("manner", "words"),
    [("absent", "nothing listens there"), ("closes", "hung up at once"), ("silent", "said nothing for 2 s")],
)
async def test_a_gate_that_the_pbx_does_not_reach_is_found_from_its_side(
    pbx: AsteriskInstance, manner: str, words: str
) -> None:
    await pbx.start()
    async with up(pbx) as link, AgiStub(None, closes=manner == "closes") as gate:
        if manner == "absent":
            gate.leave()
        ours = settings(pbx, gate.address)
        await apply(link, ours)
        findings = await check(link, ours, spool_local=spool(pbx))
    [gate_finding] = [finding for finding in findings if finding.code == "gate-unreachable"]
    assert gate_finding.severity is Severity.ERROR
    assert words in gate_finding.message


async def test_a_spool_that_cannot_be_written_or_seen_is_found(pbx: AsteriskInstance, tmp_path: Path) -> None:
    await pbx.start()
    async with up(pbx) as link, AgiStub({}) as gate:
        ours = settings(pbx, gate.address)
        await apply(link, ours)
        elsewhere = await check(link, ours, spool_local=tmp_path)
        shutil.rmtree(spool(pbx))
        spool(pbx).write_text("a file stands where the folder should be")
        blocked = await check(link, ours, spool_local=spool(pbx))
    assert "spool-invisible" in found(elsewhere)
    assert "spool-unwritable" in found(blocked)


async def test_trunks_that_are_missing_or_do_not_answer_are_found(pbx: AsteriskInstance) -> None:
    await pbx.start()
    async with up(pbx) as link:
        findings = await check(link, settings(pbx), spool_local=spool(pbx), trunks=["carrier-z", "carrier-a"])
    assert [(f.code, f.where) for f in findings if f.code.startswith("trunk")] == [
        ("trunk-missing", "PJSIP endpoint carrier-z"),
        ("trunk-unreachable", "PJSIP endpoint carrier-a"),
    ]


async def test_modules_that_are_not_loaded_are_found_with_what_they_are_for(pbx: AsteriskInstance) -> None:
    noload = "noload = app_mixmonitor.so\nnoload = res_http_media_cache.so\n"
    pbx.write("modules.conf", (pbx.etc / "modules.conf").read_text().replace("[modules]\n", f"[modules]\n{noload}", 1))
    await pbx.start()
    async with up(pbx) as link:
        findings = await check(link, settings(pbx), spool_local=spool(pbx))
    missing = {f.where: f.severity for f in findings if f.code == "module-missing"}
    assert missing == {
        "modules.conf, app_mixmonitor.so": Severity.ERROR,
        "modules.conf, res_http_media_cache.so": Severity.WARNING,
    }


async def test_missing_manager_classes_are_found_and_named(pbx: AsteriskInstance) -> None:
    user = f"\n[narrow]\nsecret = {pbx.ami_secret}\nread = system\nwrite = system,command,config\n"
    pbx.append("manager.d/ringfence.conf", user)
    await pbx.start()
    async with up(pbx, "narrow") as link:
        findings = await check(link, settings(pbx), spool_local=spool(pbx))
    assert found(findings) == {"ami-class-missing": Severity.ERROR, "ami-events-missing": Severity.ERROR}
    mends = " ".join(finding.mend for finding in findings)
    assert "Add originate to" in mends
    assert "Add call to" in mends


async def test_phones_past_the_gate_are_told_one_by_one_and_ours_are_not(pbx: AsteriskInstance) -> None:
    await pbx.start()
    async with up(pbx) as link:
        await apply(link, settings(pbx), phones=["1001"])
        findings = await check(link, settings(pbx), spool_local=spool(pbx))
    phones = {finding.where: finding.mend for finding in findings if finding.code == "phone-context"}
    assert "PJSIP endpoint 1001" not in phones
    assert "--phones 1002" in phones["PJSIP endpoint 1002"]
    assert DESK not in phones["PJSIP endpoint 1002"]


async def test_a_clock_that_is_off_is_found(pbx: AsteriskInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    await pbx.start()
    true = clock.now
    async with up(pbx) as link:
        monkeypatch.setattr(clock, "now", lambda: true() + timedelta(seconds=7))
        findings = await check(link, settings(pbx), spool_local=spool(pbx))
    [clocks] = [finding for finding in findings if finding.code == "clock-difference"]
    assert clocks.message.startswith("The PBX's clock and ours are 7.")


async def test_a_pbx_that_is_not_there_is_a_fault_not_a_finding(pbx: AsteriskInstance) -> None:
    account = AmiAccount("lab", "127.0.0.1", pbx.ami_port, pbx.ami_username, SecretStr("x"))
    async with linked(account) as link:
        with pytest.raises(PbxUnavailable, match="cannot reach"):
            await check(link, settings(pbx), spool_local=spool(pbx))
