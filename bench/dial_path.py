"""Click to Originate on the wire, and click to Newchannel, beside a bare AMI client; both seen by one relay outside the service.

The two take turns on the same PBX, link by link through the relay, which notes when the bytes of an Originate and of its
Newchannel pass. The collector's phone is one that is always busy, so that each call is over before the next click.
Run: ringfence bench dial_path
"""

import asyncio
import contextlib
import re
import secrets
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bench.past_calls import fill
from bench.service import prepare, running_service
from crm_bridge.demo.lab import Lab

PHONE = "1009"
RATES = (1, 5, 10)
CLICKS = {1: 10, 5: 50, 10: 100}
SIZES = (10_000, 1_000_000)


Noted = tuple[re.Pattern[bytes], dict[str, float]]
"""What to look for, and when each was seen first, by channel id."""
SENT = re.compile(rb"ChannelId: (\S+)")
MADE = re.compile(rb"Event: Newchannel\r\n(?:[^\r]+\r\n)*?Uniqueid: (\S+)\r\n")


class Relay:
    """Stands between a client and AMI and notes when Originates and Newchannels pass, by channel id."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.sent: dict[str, float] = {}
        self.made: dict[str, float] = {}
        self.from_pbx: list[Noted] = [(MADE, self.made)]
        self.arrived = asyncio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """The port to connect to instead of AMI's."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_pbx, to_pbx = await asyncio.open_connection("127.0.0.1", self._target)
        with contextlib.suppress(ConnectionError):  # one side went away at the end
            await asyncio.gather(
                self._pump(reader, to_pbx, [(SENT, self.sent)]), self._pump(from_pbx, writer, self.from_pbx)
            )

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        noted: Sequence[Noted],
    ) -> None:
        tail = b""
        while data := await source.read(65536):
            now = time.perf_counter()
            sink.write(data)
            tail = (tail + data)[-20_000:]
            for pattern, seen in noted:
                for match in pattern.finditer(tail):
                    if seen.setdefault(match.group(1).decode(), now) == now:
                        self.arrived.set()
        sink.close()

    async def wait_made(self, channel: str) -> None:
        """Return when the channel's Newchannel has passed."""
        async with asyncio.timeout(10):
            while channel not in self.made:
                self.arrived.clear()
                await self.arrived.wait()


class BareAmi:
    """The baseline: a socket, a login, an Originate."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._drain = asyncio.create_task(self._read(reader))

    @classmethod
    async def connect(cls, port: int, username: str, secret: str) -> "BareAmi":
        """Log in; events on, as a service needs them."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"Action: Login\r\nUsername: {username}\r\nSecret: {secret}\r\n\r\n".encode())
        await reader.readuntil(b"Message: Authentication accepted")
        return cls(reader, writer)

    async def close(self) -> None:
        """Let go of the link."""
        self._drain.cancel()
        self._writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while await reader.read(65536):
            pass

    def originate(self, channel: str) -> None:
        """Ring the phone."""
        fields = {"Action": "Originate", "Channel": f"PJSIP/{PHONE}", "ChannelId": channel, "Context": "phones"}
        fields |= {"Exten": "1001", "Priority": "1", "Async": "true", "Timeout": "20000"}
        self._writer.write(("\r\n".join(f"{key}: {value}" for key, value in fields.items()) + "\r\n\r\n").encode())


async def _click_bare(bare: BareAmi, relay: Relay) -> tuple[float, float]:
    channel = secrets.token_hex(16)
    began = time.perf_counter()
    bare.originate(channel)
    await relay.wait_made(channel)
    return relay.sent[channel] - began, relay.made[channel] - began


async def _click_ours(http: aiohttp.ClientSession, relay: Relay) -> tuple[float, float]:
    body = {"case_id": "bench", "party_id": "bench-person", "number": "+8613800138002"}
    began = time.perf_counter()
    async with http.post("/v1/calls", json=body, headers={"Idempotency-Key": secrets.token_hex(8)}) as answer:
        document = await answer.json()
        if answer.status != 201:
            raise RuntimeError(f"the click was refused: {document}")
    await relay.wait_made(document["id"])
    return relay.sent[document["id"]] - began, relay.made[document["id"]] - began


async def _ended(http: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(10):
        while True:
            async with http.get("/v1/calls?open=true&mine=true") as answer:
                if not (await answer.json())["items"]:
                    return
            await asyncio.sleep(0.01)


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


def _line(name: str, bare: list[float], ours: list[float]) -> str:
    ratio = statistics.median(ours) / statistics.median(bare)
    columns = [_percentile(values, share) for values in (bare, ours) for share in (0.5, 0.99)]
    return f"  {name:<24}" + "".join(f"{value:9.2f}" for value in columns) + f"{ratio:9.1f}x"


async def _at_rate(rate: int, bare: BareAmi, http: aiohttp.ClientSession, relay: Relay) -> None:
    results: dict[str, list[tuple[float, float]]] = {"bare": [], "ours": []}
    start = time.perf_counter()
    for index in range(CLICKS[rate] * 2):
        await asyncio.sleep(max(0.0, start + index / rate / 2 - time.perf_counter()))
        if index % 2:
            await _ended(http)
            results["ours"].append(await _click_ours(http, relay))
        else:
            await _ended(http)
            results["bare"].append(await _click_bare(bare, relay))
    wire = [[pair[0] for pair in results[who]] for who in ("bare", "ours")]
    made = [[pair[1] for pair in results[who]] for who in ("bare", "ours")]
    print(_line(f"{rate}/s to the wire", *wire))
    print(_line(f"{rate}/s to Newchannel", *made), flush=True)


async def main() -> None:
    """Run all sizes and rates."""
    async with Lab(print) as lab:
        for size in SIZES:
            with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as folder:
                await _at_size(lab, Path(folder), size)


async def _at_size(lab: Lab, folder: Path, size: int) -> None:
    relay = Relay(lab.pbx.ami_port)
    async with relay.listening() as ami_port:
        prepared = await prepare(lab, folder, ami_port=ami_port, extension=PHONE)
        began = time.perf_counter()
        await asyncio.to_thread(fill, prepared.database_path, size)
        print(f"\n{size:,} past calls (written in {time.perf_counter() - began:.0f} s), SQLite, milliseconds")
        print(f"  {'':<24}{'raw p50':>9}{'raw p99':>9}{'ours p50':>9}{'ours p99':>9}{'ratio':>10}")
        async with running_service(prepared) as running:
            http = running.http
            bare = await BareAmi.connect(ami_port, lab.pbx.ami_username, lab.pbx.ami_secret)
            for rate in RATES:
                await _at_rate(rate, bare, http, relay)
            await bare.close()


if __name__ == "__main__":
    asyncio.run(main())
