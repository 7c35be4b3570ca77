"""Setting a PBX up over AMI alone: a real Asterisk with Debian's stock configuration and one AMI user."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from config.errors import Invalid
from crm_bridge.demo.asterisk_root import ensure_root
from crm_bridge.demo.instance import AsteriskInstance
from crm_bridge.demo.pbx import stock_pbx
from telephony.ami import AmiAccount, AmiLink, PbxUnavailable
from telephony.pbx_setup.dialplan import DESK, FILE, DialplanSettings, sections
from telephony.pbx_setup.files import PbxConfigRefused, append, cut, holds_directive, read_config
from telephony.pbx_setup.plan import Plan, apply, plan
from telephony.pbx_setup.probe import PbxConfigFailed
from telephony.pbx_setup.state import Contexts, context_of, running_dialplan, unlike
from tests.support.ami_owner import linked

pytestmark = pytest.mark.flow


@pytest.fixture
async def pbx() -> AsyncIterator[AsteriskInstance]:
    """A PBX as its admin left it, for one test to change."""
    instance = stock_pbx(ensure_root(), carrier_port=5999, phone_secret="not-used")
    try:
        yield instance
    finally:
        await instance.close()


@asynccontextmanager
async def up(pbx: AsteriskInstance, *, secret: str = "") -> AsyncIterator[AmiLink]:
    account = AmiAccount("lab", "127.0.0.1", pbx.ami_port, pbx.ami_username, SecretStr(secret or pbx.ami_secret))
    async with linked(account) as link:
        await link.connected(10)
        yield link


def settings(pbx: AsteriskInstance, gate: str = "127.0.0.1:4573") -> DialplanSettings:
    return DialplanSettings(gate=gate, spool=f"{pbx.spool_pbx}/ringfence")


def files(pbx: AsteriskInstance) -> dict[str, tuple[bytes, int, int]]:
    """Every configuration file but ours: contents, owner, mode."""
    paths = [path for path in pbx.etc.rglob("*") if path.is_file() and path.name != FILE]
    return {str(path): (path.read_bytes(), path.stat().st_uid, path.stat().st_mode) for path in paths}


def not_ours(contexts: Contexts) -> dict[str, frozenset[tuple[str, ...]]]:
    return {name: entries for name, entries in contexts.items() if not name.startswith("ringfence-")}


async def test_what_is_planned_is_applied_once_and_outlives_a_restart(pbx: AsteriskInstance) -> None:
    await pbx.start()
    untouched = files(pbx)
    async with up(pbx) as link:
        before = not_ours(await running_dialplan(link))
        planned = await plan(link, settings(pbx))
        assert files(pbx) == untouched
        assert not (pbx.etc / FILE).exists()
        assert await apply(link, settings(pbx)) == planned
        assert [change.where for change in planned.changes] == ["ringfence.conf (ours)", "extensions.conf, at its end"]
        assert unlike(await running_dialplan(link), sections(settings(pbx))) == []
        assert not_ours(await running_dialplan(link)) == before
        applied = {**files(pbx), FILE: (pbx.etc / FILE).read_bytes()}
        assert (await apply(link, settings(pbx))).nothing_to_do
    await pbx.restart()
    async with up(pbx) as link:
        assert unlike(await running_dialplan(link), sections(settings(pbx))) == []
        assert not_ours(await running_dialplan(link)) == before
        assert (await apply(link, settings(pbx))).nothing_to_do
    assert {**files(pbx), FILE: (pbx.etc / FILE).read_bytes()} == applied


async def test_the_admins_file_keeps_every_byte_and_gains_two_lines_at_its_end(pbx: AsteriskInstance) -> None:
    pbx.append(
        "extensions.conf", '[odd](!)\n#tryinclude "not-there/*.conf"\n[even](odd) ; comment\nexten => 77,1,NoOp(${X})'
    )
    await pbx.start()
    before = files(pbx)
    async with up(pbx) as link:
        await apply(link, settings(pbx))
    after = files(pbx)
    changed = [path for path in after if after[path] != before.get(path)]
    assert changed == [str(pbx.etc / "extensions.conf")]
    (old, *old_rights), (new, *new_rights) = before[changed[0]], after[changed[0]]
    assert new == old + b'\n; Ringfence: calls to the outside pass its gate\n#include "ringfence.conf"\n'
    assert new_rights == old_rights


async def test_other_settings_replace_our_file_and_nothing_else(pbx: AsteriskInstance) -> None:
    await pbx.start()
    async with up(pbx) as link:
        await apply(link, settings(pbx))
        before = files(pbx)
        moved = settings(pbx, gate="127.0.0.1:9999")
        done = await apply(link, moved)
        assert [change.where for change in done.changes] == ["ringfence.conf (ours)"]
        assert "-same => n,AGI(agi://127.0.0.1:4573/probe,${RINGFENCE_TOKEN})" in done.changes[0].lines
        assert "+same => n,AGI(agi://127.0.0.1:9999/probe,${RINGFENCE_TOKEN})" in done.changes[0].lines
        assert unlike(await running_dialplan(link), sections(moved)) == []
        assert files(pbx) == before


async def test_a_file_of_ours_that_was_edited_or_lost_is_put_right(pbx: AsteriskInstance) -> None:
    await pbx.start()
    async with up(pbx) as link:
        await apply(link, settings(pbx))
        pbx.append(FILE, "[ringfence-extra]\nexten => s,1,Dial(PJSIP/1@carrier-a)\n")
        assert not (await apply(link, settings(pbx))).nothing_to_do
        assert "ringfence-extra" not in await running_dialplan(link)
        (pbx.etc / FILE).unlink()
        assert not (await apply(link, settings(pbx))).nothing_to_do
        assert (await apply(link, settings(pbx))).nothing_to_do
    assert (pbx.etc / "extensions.conf").read_text().count(FILE) == 1


async def test_a_dialplan_that_was_never_reloaded_is_reloaded(pbx: AsteriskInstance) -> None:
    await pbx.start()
    async with up(pbx) as link:
        await apply(link, settings(pbx))
        await link.send("DialplanExtensionRemove", {"Context": "ringfence-click", "Extension": "s"})
        done = await apply(link, settings(pbx))
        assert [change.where for change in done.changes] == ["dialplan in memory"]
        assert unlike(await running_dialplan(link), sections(settings(pbx))) == []


@pytest.mark.parametrize("line", ['#exec "/bin/true"', "  #EXEC /bin/true", "[x]\n; a comment\n#exec /bin/true\n[y]"])
async def test_a_file_with_exec_is_refused_untouched(pbx: AsteriskInstance, line: str) -> None:
    pbx.append("extensions.conf", f"\n{line}\n")
    await pbx.start()
    before = files(pbx)
    async with up(pbx) as link:
        with pytest.raises(PbxConfigRefused, match=r"extensions\.conf holds #exec"):
            await apply(link, settings(pbx))
    assert files(pbx) == before
    assert not (pbx.etc / FILE).exists()


async def test_an_exec_in_a_comment_is_none(pbx: AsteriskInstance) -> None:
    pbx.append("extensions.conf", '\n;#exec "/bin/true"\n')
    await pbx.start()
    async with up(pbx) as link:
        assert not await holds_directive(link, "extensions.conf", "exec")


async def test_a_dialplan_that_does_not_load_is_brought_back(pbx: AsteriskInstance) -> None:
    pbx.append("extensions.conf", "\n;-- a comment that nobody closed\n")
    await pbx.start()
    before = files(pbx)
    async with up(pbx) as link:
        contexts = not_ours(await running_dialplan(link))
        with pytest.raises(PbxConfigFailed, match="all was brought back"):
            await apply(link, settings(pbx))
        assert files(pbx) == before
        assert not_ours(await running_dialplan(link)) == contexts


async def test_edits_that_waited_for_a_reload_are_told(pbx: AsteriskInstance) -> None:
    await pbx.start()
    pbx.append("extensions.conf", "\n[waiting]\nexten => 1,1,NoOp()\n")
    async with up(pbx) as link:
        [note] = (await apply(link, settings(pbx))).notes
    assert note.endswith("in: waiting")


async def test_phones_are_reported_and_moved_only_when_told(pbx: AsteriskInstance) -> None:
    await pbx.start()
    before = files(pbx)
    async with up(pbx) as link:
        done = await apply(link, settings(pbx))
        assert done.other_phones["1003"] == "phones"
        assert "carrier-a" not in done.other_phones
        done = await apply(link, settings(pbx), phones=["1003", "1004"])
        assert [change.where for change in done.changes] == ["pjsip.conf, at its end"]
        assert done.changes[0].lines[:2] == ("-1003: context=phones", "+1003: context=ringfence-desk")
        assert {"1003", "1004"}.isdisjoint(done.other_phones)
        assert await _contexts(link) == {"1003": DESK, "1004": DESK, "1005": "phones", "carrier-a": "from-carrier"}
        assert (await apply(link, settings(pbx), phones=["1003", "1004"])).nothing_to_do
        assert (await apply(link, settings(pbx))).nothing_to_do
    path = str(pbx.etc / "pjsip.conf")
    assert (pbx.etc / "pjsip.conf").read_bytes().startswith(before[path][0])
    await pbx.restart()
    async with up(pbx) as link:
        assert await _contexts(link) == {"1003": DESK, "1004": DESK, "1005": "phones", "carrier-a": "from-carrier"}


async def _contexts(link: AmiLink) -> dict[str, str]:
    return {name: await context_of(link, name) for name in ("1003", "1004", "1005", "carrier-a")}


async def test_phones_that_do_not_exist_or_are_no_names_change_nothing(pbx: AsteriskInstance) -> None:
    await pbx.start()
    before = files(pbx)
    async with up(pbx) as link:
        for phone in ("4711", "1003](+)", "1003\ncontext=x", ""):
            with pytest.raises(Invalid):
                await apply(link, settings(pbx), phones=[phone])
    assert files(pbx) == before
    assert not (pbx.etc / FILE).exists()


async def test_phones_in_a_file_with_exec_stay_where_they_are(pbx: AsteriskInstance) -> None:
    pbx.append("pjsip.conf", "\n#exec /bin/true\n")
    await pbx.start()
    before = files(pbx)
    async with up(pbx) as link:
        with pytest.raises(PbxConfigRefused, match=r"pjsip\.conf holds #exec"):
            await apply(link, settings(pbx), phones=["1003"])
    assert files(pbx) == before
    assert not (pbx.etc / FILE).exists()


async def test_the_least_set_of_classes_is_enough_and_a_missing_one_is_named(pbx: AsteriskInstance) -> None:
    def user(name: str, write: str) -> str:
        return f"[{name}]\nsecret = {pbx.ami_secret}\nread = system,call,user\nwrite = {write}\n"

    narrow = {
        "no-config": "system,call,originate",
        "no-system": "call,config,originate",
        "no-originate": "system,call,config",
    }
    users = [user("least", "system,call,config,originate"), *(user(name, write) for name, write in narrow.items())]
    pbx.append("manager.d/ringfence.conf", "\n" + "".join(users))
    await pbx.start()
    for name in narrow:
        async with linked(_account(pbx, name)) as link:
            with pytest.raises(PbxConfigFailed, match=f"lacks the class {name.removeprefix('no-')}"):
                await apply(link, settings(pbx))
    async with linked(_account(pbx, "least")) as link:
        assert not (await apply(link, settings(pbx), phones=["1003"])).nothing_to_do
        assert (await apply(link, settings(pbx), phones=["1003"])).nothing_to_do


def _account(pbx: AsteriskInstance, name: str) -> AmiAccount:
    return AmiAccount("lab", "127.0.0.1", pbx.ami_port, name, SecretStr(pbx.ami_secret))


async def test_a_wrong_secret_and_a_pbx_that_is_not_there_say_so(pbx: AsteriskInstance) -> None:
    nowhere = AmiAccount("lab", "127.0.0.1", pbx.ami_port, pbx.ami_username, SecretStr("x"))
    async with linked(nowhere) as link:
        with pytest.raises(PbxUnavailable, match="cannot reach"):
            await plan(link, settings(pbx))
    await pbx.start()
    async with linked(nowhere) as link:
        with pytest.raises(PbxUnavailable, match="refused the login"):
            await plan(link, settings(pbx))


async def test_what_was_added_to_a_file_can_be_taken_away_again(pbx: AsteriskInstance) -> None:
    (pbx.etc / "own.conf").write_text("[a]\nb=1")
    await pbx.start()
    async with up(pbx) as link:
        size = await append(link, "own.conf", ["[c]", "d=2"])
        file = await read_config(link, "own.conf")
        assert file is not None
        assert file.sections == (("a", ("b=1",)), ("c", ("d=2",)))
        await cut(link, "own.conf", size)
        with pytest.raises(ValueError, match="not lines"):
            await append(link, "own.conf", ["x=${SHELL(id)}"])
    assert (pbx.etc / "own.conf").read_text() == "[a]\nb=1"


def test_a_plan_reads_as_a_list_of_what_changes() -> None:
    nothing = Plan("p", (), {"1001": "phones"})
    assert nothing.text().splitlines() == [
        "PBX p: nothing to do",
        "  phones whose own calls bypass the gate, by their context: 1001 (phones)",
    ]
