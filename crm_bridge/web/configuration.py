"""Configuration as code over HTTP: everything that admins set, as one document."""

from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field

from config import clock
from config.errors import Conflict, Forbidden
from crm_bridge.operations import configuration
from crm_bridge.operations.by import By
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Body, Query

api = Api("configuration")


class ConfigurationIn(Body):
    """A document as GET /v1/configuration gives it, and why it is applied."""

    configuration: dict[str, Any]
    reason: str = Field("", max_length=2000)


class DryRun(Query):
    """Whether to say only what would change."""

    dry_run: bool = False


class ChangeOut(BaseModel):
    """One thing that the document has otherwise; `fields` are [before, after]."""

    section: str
    key: str
    new: bool
    fields: dict[str, list[Any]]


class AppliedOut(BaseModel):
    """What was changed, or would be."""

    applied: bool
    changes: list[ChangeOut]


@api.operation(
    "GET", "/v1/configuration", roles=("admin",), answers={200: dict[str, Any]}, summary="Everything that admins set"
)
async def export(request: web.Request) -> dict[str, Any]:
    """Without passwords, tokens and other secrets. The export is journalled."""
    _require_unbound(request)
    async with request.app[keys.DATABASE].read() as connection:
        document = await configuration.exported(connection)
    await configuration.note_export(request.app[keys.DATABASE], document, request[keys.USER].name, clock.now())
    return document


@api.operation(
    "POST",
    "/v1/configuration",
    roles=("admin",),
    body=ConfigurationIn,
    query=DryRun,
    answers={200: AppliedOut},
    problems=(Conflict,),
    summary="Put such a document into force, whole or not at all",
)
async def apply(request: web.Request, body: ConfigurationIn, query: DryRun) -> dict[str, Any]:
    """Applying it again changes nothing; what it does not name stays. `dry_run` shows what would change."""
    _require_unbound(request)
    settings = request.app[keys.SETTINGS]
    pbxs = [pbx.name for pbx in settings.pbx]
    by = By(request[keys.USER], clock.now(), body.reason, settings.policy.zone, pbxs)
    changes = await configuration.apply(request.app[keys.DATABASE], body.configuration, by, dry_run=query.dry_run)
    return {"applied": not query.dry_run, "changes": [change.document() for change in changes]}


def _require_unbound(request: web.Request) -> None:
    if request[keys.USER].clients:
        raise Forbidden("the whole configuration is for admins who are bound to no client")
