"""Sending a file by HTTP Range (RFC 9110, 14) that is no plain file on a disk: decrypted as it is read."""

import asyncio
from typing import BinaryIO

from aiohttp import web

BLOCK = 256 << 10


async def send(request: web.Request, file: BinaryIO, headers: dict[str, str]) -> web.StreamResponse:
    """Send `file`, or the one range of it that was asked for; it is closed in any case."""
    try:
        size = file.seek(0, 2)  # known since it was opened: seeking reads nothing
        wanted = _wanted(request, size)
        if wanted is None:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
        start, stop = wanted
        partial = "Range" in request.headers
        response = web.StreamResponse(status=206 if partial else 200, headers=headers | {"Accept-Ranges": "bytes"})
        response.content_length = stop - start
        if partial:
            response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        await response.prepare(request)
        while start < stop and request.method != "HEAD":
            block = await asyncio.to_thread(_read, file, start, min(BLOCK, stop - start))
            if not block:
                raise OSError(f"the file ends {stop - start} bytes early")
            start += len(block)
            await response.write(block)
        await response.write_eof()
        return response
    finally:
        file.close()


def _wanted(request: web.Request, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None for a range that cannot be had."""
    try:
        asked = request.http_range
    except ValueError:
        return None
    if asked.start is None:
        return 0, size
    start = max(0, size + asked.start) if asked.start < 0 else asked.start
    stop = size if asked.stop is None else min(asked.stop, size)
    return (start, stop) if start < stop else None


def _read(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)
