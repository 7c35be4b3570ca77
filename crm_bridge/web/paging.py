"""Lists in pages: `?cursor=&limit=` -> {"items", "next_cursor"}."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field
from sqlalchemy.engine import Row

Item = TypeVar("Item")


class Listing(BaseModel, Generic[Item]):
    """A page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(description="ask for what follows with it; null on the last page")


def page(rows: Sequence[Row[Any]], limit: int, key: str) -> tuple[Sequence[Row[Any]], str | None]:
    """The page of rows read with `limit + 1`, and the cursor of what follows: the last row's `key`."""
    shown = rows[:limit]
    return shown, str(shown[-1]._mapping[key]) if len(rows) > limit else None
