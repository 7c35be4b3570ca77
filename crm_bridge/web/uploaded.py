"""A file that somebody sends: as the body itself, or as the part `file` of a form."""

from collections.abc import AsyncIterator

from aiohttp import BodyPartReader, web

from config.errors import Invalid

BLOCK = 1 << 16


async def pieces(request: web.Request) -> AsyncIterator[bytes]:
    """The file's bytes as they come in. Raises Invalid for a form without such a part."""
    if not request.content_type.startswith("multipart/"):
        async for block in request.content.iter_chunked(BLOCK):
            yield block
        return
    try:
        parts = await request.multipart()
        while (part := await parts.next()) is not None:
            if isinstance(part, BodyPartReader) and part.name == "file":
                while block := await part.read_chunk(BLOCK):
                    yield block
                return
    except ValueError as error:
        message = "is no multipart/form-data"
        raise Invalid(f"the body {message}: {error}", [{"field": "", "message": message}]) from error
    raise Invalid("there is no part named file", [{"field": "file", "message": "is required"}])
