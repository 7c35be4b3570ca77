"""Alembic's entry. Connection and metadata are handed over by `config.migrate`, so no layer above is imported here."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from config.schema import Document, Sequence, UtcDateTime


def _render_type(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Name our own column types in a new migration, instead of taking them apart."""
    names = {id(Document): "Document", id(Sequence): "Sequence"}
    name = "UtcDateTime()" if isinstance(item, UtcDateTime) else names.get(id(item))
    if kind != "type" or name is None:
        return False
    autogenerate.imports.add("from config.schema import Document, Sequence, UtcDateTime")
    return name


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=context.config.attributes["metadata"],
    render_item=_render_type,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
