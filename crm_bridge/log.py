"""Structured logs: one JSON object a line, identifiers only, never names, numbers or secrets."""

import logging
import sys
from pathlib import Path

import structlog


def quiet() -> None:
    """For commands that a person runs: what they have to say they print, and a fault is one line."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def configure(path: Path | None = None) -> None:
    """Send everything, the standard library's loggers included, to stderr or to a file."""
    logging.disable(logging.NOTSET)
    structlog.reset_defaults()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    stream = path.open("a") if path is not None else sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for noisy in ("aiohttp.access", "alembic", "panoramisk"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
