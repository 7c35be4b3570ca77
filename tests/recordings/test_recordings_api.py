"""Recordings over HTTP: ranges, formats, who may hear, and that every play is written down."""

import io
from collections.abc import AsyncIterator
from datetime import timedelta

import numpy as np
import pytest
import soundfile
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from config.journal import Entry
from config.settings import Settings
from crm_bridge.web import comments as comment_routes
from crm_bridge.web import dispatch, keys, middleware
from crm_bridge.web import incidents as incident_routes
from crm_bridge.web import recordings as routes
from recordings.replay import Replay
from tests.support.api import Service
from tests.support.spooled import START, Recorder, SpooledCall, silence, stereo, tone


@pytest.fixture
async def heard(recorder: Recorder, replay: Replay) -> AsyncIterator[Service]:
    """The recordings' routes, and users of every kind. The calls are those of `li`, for client `north`."""
    app = web.Application()
    app[keys.DATABASE], app[keys.SETTINGS], app[keys.REPLAY] = recorder.database, Settings(), replay
    middleware.install(app)
    dispatch.register(app, [routes.api, incident_routes.api, comment_routes.api])
    async with TestClient(TestServer(app)) as client:
        service = Service(recorder.database, client)
        await service.add("li", "collector", team="a")
        await service.add("wang", "collector", team="a")
        await service.add("qian", "qa", clients=["north"])
        await service.add("sun", "qa", clients=["south"])
        await service.add("zhou", "supervisor", team="a")
        await service.add("wu", "supervisor", team="b")
        await service.add("root", "admin")
        await service.add("crm", "crm")
        yield service


async def talked(recorder: Recorder) -> SpooledCall:
    call = await recorder.call()
    recorder.leave(call.file("agent"), stereo(tone(440, 12), silence(12)))
    recorder.leave(call.file("customer"), stereo(tone(600, 8), tone(440, 8)))
    await recorder.run()
    return call


async def test_the_call_plays_by_range(recorder: Recorder, heard: Service) -> None:
    call = await talked(recorder)
    path = f"/v1/calls/{call.id}/audio"
    whole = await heard.ask("GET", path, "li")
    body = await whole.read()
    assert (whole.status, whole.content_type, whole.headers["Accept-Ranges"]) == (200, "audio/flac", "bytes")
    assert whole.headers["Cache-Control"] == "private, no-store"
    samples, rate = soundfile.read(io.BytesIO(body), dtype="int16")
    assert (rate, samples.shape) == (8000, (96_000, 2))
    part = await heard.ask("GET", path, "li", headers={"Range": "bytes=100-199"})
    assert (part.status, part.content_type) == (206, "audio/flac")
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(body)}"
    assert await part.read() == body[100:200]
    beyond = await heard.ask("GET", path, "li", headers={"Range": f"bytes={len(body) + 1}-"})
    assert beyond.status == 416


@pytest.mark.parametrize(("form", "kind"), [("wav", "audio/wav"), ("mp3", "audio/mpeg")])
async def test_other_formats_are_made_on_demand(recorder: Recorder, heard: Service, form: str, kind: str) -> None:
    call = await talked(recorder)
    answer = await heard.ask("GET", f"/v1/calls/{call.id}/audio?format={form}", "li")
    assert (answer.status, answer.content_type) == (200, kind)
    samples, _ = soundfile.read(io.BytesIO(await answer.read()), dtype="int16")
    assert np.abs(samples[:, 0]).max() > 9000
    answer = await heard.ask("GET", f"/v1/calls/{call.id}/audio?format=ogg", "li")
    assert answer.status == 422


async def test_who_may_see_a_call_may_hear_it_and_a_collector_only_ones_own(recorder: Recorder, heard: Service) -> None:
    call = await talked(recorder)
    row = await recorder.row(call, "customer")
    allowed = {"li": 200, "qian": 200, "zhou": 200, "root": 200, "wang": 404, "sun": 404, "wu": 404, "crm": 403}
    for user, status in allowed.items():
        for path in (f"/v1/calls/{call.id}/audio", f"/v1/calls/{call.id}/peaks", f"/v1/recordings/{row.id}/audio"):
            assert (await heard.ask("GET", path, user)).status == status, (user, path)
    assert (await heard.ask("GET", f"/v1/calls/{call.id}/audio")).status == 401
    for path in (f"/v1/calls/{'0' * 32}/audio", "/v1/calls/..%2f..%2fetc/audio", "/v1/recordings/x/audio"):
        assert (await heard.ask("GET", path, "root")).status == 404


async def test_every_play_is_journalled_once_with_who_it_was(recorder: Recorder, heard: Service) -> None:
    call = await talked(recorder)
    row = await recorder.row(call, "customer")
    for start in ("0-", "500-999", "0-"):
        await heard.ask("GET", f"/v1/calls/{call.id}/audio", "qian", headers={"Range": f"bytes={start}"})
    await heard.ask("GET", f"/v1/recordings/{row.id}/audio?format=wav", "li")
    await heard.ask("GET", f"/v1/calls/{call.id}/audio", "sun")
    plays = await recorder.journal("recording.played")
    assert [(play.actor, play.call_id, play.agent, play.client) for play in plays] == [
        ("qian", call.id, "li", "north"),
        ("li", call.id, "li", "north"),
    ]
    assert [play.data for play in plays] == [{"format": "flac"}, {"format": "wav", "recording_id": row.id}]


async def test_a_play_much_later_is_another_play(recorder: Recorder, replay: Replay) -> None:
    call = await talked(recorder)
    for minutes in (0, 9, 11):
        await replay.plays.note(call.ended_at + timedelta(minutes=minutes), "qian", call.id, {"format": "flac"})
    assert len(await recorder.journal("recording.played")) == 2


async def test_recordings_are_listed_one_a_leg_with_their_proofs(recorder: Recorder, heard: Service) -> None:
    call, other = await talked(recorder), await recorder.call()
    listed = await heard.get(f"/v1/recordings?call_id={call.id}", "li")
    assert listed["next_cursor"] is None
    assert {item["leg"]: item["state"] for item in listed["items"]} == {"agent": "archived", "customer": "archived"}
    row = await recorder.row(call, "agent")
    (mine,) = [item for item in listed["items"] if item["leg"] == "agent"]
    shape = {"id", "call_id", "leg", "state", "duration", "sha256", "pcm_sha256", "flags", "retention", "holds"}
    assert shape <= mine.keys()
    assert (mine["sha256"], mine["duration"], mine["holds"]) == (row.sha256, 12.0, [])
    first = await heard.get("/v1/recordings?limit=3", "root")
    rest = await heard.get(f"/v1/recordings?limit=3&cursor={first['next_cursor']}", "root")
    assert {item["call_id"] for item in first["items"] + rest["items"]} == {call.id, other.id}
    assert len(first["items"] + rest["items"]) == 4
    assert (await heard.get("/v1/recordings", "sun"))["items"] == []


async def test_an_emergency_calls_recording_is_for_overseers_of_every_client(
    recorder: Recorder, heard: Service
) -> None:
    recorder.leave("emergency17180000007.agent.pbx-1718000000.7.raw", stereo(tone(440, 2), silence(2)))
    await recorder.sweep.run(START)
    await recorder.run()
    (found,) = (await heard.get("/v1/recordings", "root"))["items"]
    assert (found["call_id"], found["flags"]) == ("emergency17180000007", ["emergency"])
    assert (await heard.ask("GET", f"/v1/recordings/{found['id']}/audio", "root")).status == 200
    for user in ("qian", "li"):
        assert (await heard.get("/v1/recordings", user))["items"] == []
        assert (await heard.ask("GET", f"/v1/recordings/{found['id']}/audio", user)).status == 404


async def test_a_call_without_audio_says_so(recorder: Recorder, heard: Service) -> None:
    call = await recorder.call()
    for path in ("audio", "peaks"):
        problem = await heard.get(f"/v1/calls/{call.id}/{path}", "li", 404)
        assert problem["type"] == "/problems/no-audio"


async def test_open_incidents_are_listed_to_those_who_oversee_the_call(recorder: Recorder, heard: Service) -> None:
    call = await recorder.call(agent=None)
    await recorder.run(61)
    row = await recorder.row(call, "customer")
    (incident,) = (await heard.get("/v1/incidents", "qian"))["items"]
    assert (incident["kind"], incident["subject"], incident["call_id"]) == ("missing", row.id, call.id)
    assert incident["closed_at"] is None
    assert (await heard.get("/v1/incidents?state=closed", "qian"))["items"] == []
    assert (await heard.get("/v1/incidents", "sun"))["items"] == []
    assert (await heard.ask("GET", "/v1/incidents", "li")).status == 403


async def test_an_incident_is_closed_once_with_what_was_found_out(recorder: Recorder, heard: Service) -> None:
    call = await recorder.call()
    await recorder.run(after=61)
    (first, _) = (await heard.get("/v1/incidents", "qian"))["items"]
    path = f"/v1/incidents/{first['id']}/close"
    assert (await heard.ask("POST", path, "sun", json={"reason": "x"})).status == 404
    assert (await heard.ask("POST", path, "li", json={"reason": "x"})).status == 403
    await heard.post(path, "qian", {"reason": ""}, 422)
    closed = await heard.post(path, "qian", {"reason": "the phone was unplugged"}, 200)
    assert closed["closed_reason"] == "the phone was unplugged"
    await heard.post(path, "qian", {"reason": "again"}, 409)
    entry = (await recorder.journal("recording.incident"))[-1]
    assert (entry.actor, entry.call_id, entry.data["reason"]) == ("qian", call.id, "the phone was unplugged")
    listed = (await heard.get("/v1/incidents?state=closed&kind=missing", "qian"))["items"]
    assert [item["id"] for item in listed] == [first["id"]]


async def test_an_export_needs_a_reason_and_is_journalled_as_one(recorder: Recorder, heard: Service) -> None:
    call = await talked(recorder)
    path = f"/v1/calls/{call.id}/audio?format=wav&download=true"
    assert (await heard.ask("GET", path, "qian")).status == 422
    answer = await heard.ask("GET", f"{path}&reason=court", "qian")
    assert (answer.status, answer.headers["Content-Disposition"]) == (200, f'attachment; filename="{call.id}.wav"')
    await heard.ask("GET", f"/v1/calls/{call.id}/audio?reason=review", "qian")
    (export,), (play,) = await recorder.journal("recording.exported"), await recorder.journal("recording.played")
    assert (export.actor, export.data) == ("qian", {"format": "wav", "reason": "court"})
    assert play.data == {"format": "flac", "reason": "review"}


async def test_the_desk_finds_calls_by_what_is_known_of_them(recorder: Recorder, heard: Service) -> None:
    call = await talked(recorder)
    other = await recorder.call(case_id="case-2", outcome="busy")
    await recorder.run(after=61)
    searches = {
        "q=CASE-1": [call.id], "q=138%200000": [other.id, call.id], "agent=li": [other.id, call.id], "agent=wang": [],
        "client=north&case_id=case-2": [other.id], "outcome=busy": [other.id], "min_seconds=9": [call.id],
        "min_seconds=13": [], "max_seconds=9": [call.id], "flag=any": [other.id, call.id], "flag=one-sided": [call.id],
        "flag=clipped": [], "state=missing": [other.id],
        "since=2026-06-01&until=2026-06-01": [other.id, call.id], "until=2026-05-31": [],
        "since=2026-06-01T02:00:01Z": [], "held=true": [], "held=false": [other.id, call.id], "q=nobody": [],
        "number=%2B8613800000000": [other.id, call.id], f"call_id={call.id}": [call.id], "q=100%25": [],
    }  # fmt: skip
    for query, ids in searches.items():
        listed = await heard.get(f"/v1/recorded-calls?{query}", "qian")
        assert sorted(item["id"] for item in listed["items"]) == sorted(ids), query
    (item,) = (await heard.get("/v1/recorded-calls?q=case-1", "qian"))["items"]
    assert (item["duration"], item["playable"], item["doubts"], item["comments"]) == (12.0, True, ["one-sided"], 0)
    (item,) = (await heard.get("/v1/recorded-calls?q=case-2", "qian"))["items"]
    assert (item["playable"], item["doubts"]) == (False, ["missing"])
    assert (await heard.get("/v1/recorded-calls", "sun"))["items"] == []
    assert (await heard.ask("GET", "/v1/recorded-calls", "li")).status == 403
    assert (await heard.ask("GET", "/v1/recorded-calls?since=yesterday", "qian")).status == 422
    page = await heard.get("/v1/recorded-calls?limit=1", "qian")
    rest = await heard.get(f"/v1/recorded-calls?limit=1&cursor={page['next_cursor']}", "qian")
    assert {page["items"][0]["id"], rest["items"][0]["id"]} == {call.id, other.id}
    assert {item["call_id"] for item in (await heard.get("/v1/recordings?outcome=busy", "qian"))["items"]} == {other.id}


async def test_the_waveform_marks_dead_air_and_hold(recorder: Recorder, heard: Service) -> None:
    call = await recorder.call(agent=(0, 1, 31), customer=(2, 5, 31))
    talk, pause = tone(440, 5), silence(10)
    recorder.leave(call.file("agent"), stereo(np.concatenate((talk, pause, talk, pause)), silence(30)))
    await recorder.run(of=call.ended_at)
    async with recorder.database.write() as transaction:
        for seconds, state in ((21, "held"), (31, "ended")):
            at = START + timedelta(seconds=seconds)
            transaction.journal(Entry(at, "call.state", call_id=call.id, data={"call": {"state": state}}))
    drawn = await heard.get(f"/v1/calls/{call.id}/peaks", "qian")
    assert drawn["started_at"] == "2026-06-01T02:00:01Z"
    assert drawn["regions"] == [
        {"kind": "dead_air", "start": 5.0, "end": 15.0},
        {"kind": "hold", "start": 20.0, "end": 30.0},
    ]


async def test_comments_are_pinned_to_seconds_and_taken_back_by_their_author(
    recorder: Recorder, heard: Service
) -> None:
    call = await talked(recorder)
    path = f"/v1/recordings/{call.id}/comments"
    late = await heard.post(path, "qian", {"at_second": 7.5, "text": "no farewell"})
    await heard.post(path, "zhou", {"at_second": 1, "text": "identity not checked"})
    listed = (await heard.get(path, "qian"))["items"]
    assert [(item["at_second"], item["author"]) for item in listed] == [(1.0, "zhou"), (7.5, "qian")]
    await heard.post(path, "qian", {"at_second": -1, "text": "x"}, 422)
    await heard.post(path, "sun", {"at_second": 1, "text": "x"}, 404)
    assert (await heard.ask("DELETE", f"{path}/{late['id']}", "zhou")).status == 403
    assert (await heard.ask("DELETE", f"{path}/{late['id']}", "qian")).status == 204
    assert (await heard.ask("DELETE", f"{path}/{late['id']}", "qian")).status == 404
    assert len((await heard.get(path, "qian"))["items"]) == 1
    (first, _) = await recorder.journal("recording.commented")
    assert (first.actor, first.data["at_second"]) == ("qian", 7.5)
