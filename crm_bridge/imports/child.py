"""Starts the process that reads a client's file, and hands its lines on; the process gets nothing but the file."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

import crm_bridge
from crm_bridge.imports.findings import finding

LONGEST_LINE = 32 << 20
PATIENCE = 1000.0
"""Seconds; the process ends itself before by its own limit."""
ROOT = str(Path(crm_bridge.__file__).parent.parent)


async def lines(write_file: Callable[[Path], Any], order: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """The lines of `crm_bridge.imports.reading` on the file that `write_file` (awaited) puts at a path.

    When it broke off without an end, a last `{"file": {}, "problems": [...]}` says so.
    """
    with tempfile.TemporaryDirectory(prefix="ringfence-import-") as folder:
        path, written = Path(folder) / "file", Path(folder) / "order.json"
        await write_file(path)
        written.write_bytes(to_json({**order, "path": str(path)}))
        async with _started(written) as process:
            ended = False
            assert process.stdout is not None
            async for line in process.stdout:
                found: dict[str, Any] = from_json(line)
                ended = ended or "end" in found or _is_over(found)
                yield found
            code = await process.wait()
        if not ended or code:
            why = f"the process that reads it ended with {code}"
            yield {"file": {}, "problems": [finding("not-a-sheet", why=why)]}


def _is_over(found: Mapping[str, Any]) -> bool:
    return any(problem["level"] == "error" for problem in found.get("problems", ()))


@asynccontextmanager
async def _started(order: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "crm_bridge.imports.reading", str(order),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        limit=LONGEST_LINE, env={"PYTHONPATH": ROOT, "PYTHONIOENCODING": "utf-8"}, cwd="/",
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE):
            yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
