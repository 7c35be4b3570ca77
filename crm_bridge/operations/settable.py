"""Every kind of thing that admins set, each as it is written in a configuration file and as it is put into force.

What is put goes the way of the API: the same models, the same checks, the same entries in the journal.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from sqlalchemy import Select, select

from config.database import Transaction
from crm_bridge import policies
from crm_bridge.carrier import records as carrier_records
from crm_bridge.carrier.formats import CdrFormat
from crm_bridge.carrier.tables import carrier_formats
from crm_bridge.cases import third_party_script
from crm_bridge.clocks import calendars, deadline_rules
from crm_bridge.clocks.tables import calendar_days, working_calendars
from crm_bridge.clocks.tables import complaint_ladders as ladder_table
from crm_bridge.clocks.tables import deadline_rules as rule_table
from crm_bridge.complaints import ladders as complaint_ladders
from crm_bridge.embed import screen_pop_links
from crm_bridge.embed.tables import screen_pop_links as link_table
from crm_bridge.imports import mappings
from crm_bridge.imports.mapping import Mapping as ImportMapping
from crm_bridge.imports.tables import import_mappings
from crm_bridge.inbound import routes as inbound_routes
from crm_bridge.inbound.tables import agent_groups
from crm_bridge.inbound.tables import inbound_routes as route_table
from crm_bridge.notes import action_codes
from crm_bridge.notes import templates as note_templates
from crm_bridge.notes.tables import action_code_sets
from crm_bridge.notes.tables import note_templates as template_table
from crm_bridge.operations.by import By
from crm_bridge.operations.settable_trunks import TrunkIn, put_trunk, trunk_document
from crm_bridge.people import groups, users
from crm_bridge.people.desk_tables import third_party_scripts
from crm_bridge.qa import forms
from crm_bridge.qa.tables import qa_forms
from crm_bridge.reports import mailing
from crm_bridge.reports.dates import PeriodReport
from crm_bridge.reports.tables import report_mailings
from crm_bridge.tables import users as user_table
from crm_bridge.web.caller_ids import PoolIn, PoolName
from crm_bridge.web.embed_links import NAME, LinkIn
from crm_bridge.web.trunk_shapes import Name
from recordings import retention_classes
from recordings.retention import Anchor, Basis, RetentionClass
from recordings.retention import Kind as RetentionKind
from recordings.retention_tables import retention_classes as class_table
from telephony.tables import policies as policy_table
from telephony.tables import trunks as trunk_table
from telephony.trunking import caller_ids
from telephony.trunking.tables import caller_id_pools

_SEVERITY: TypeAdapter[complaint_ladders.Severity] = TypeAdapter(complaint_ladders.Severity)
_POOL_NAME: TypeAdapter[str] = TypeAdapter(PoolName)
_TRUNK_NAME: TypeAdapter[str] = TypeAdapter(Name)
_REPORT: TypeAdapter[PeriodReport] = TypeAdapter(PeriodReport)
EVERYBODY = "*"
"""In a key `CLIENT/NAME`: what holds for every client without one of its own."""


class RetentionIn(BaseModel):
    """A retention class, as the table has it."""

    model_config = ConfigDict(extra="forbid")

    kind: RetentionKind
    months: int = Field(ge=1, le=1200)
    anchor: Anchor
    clients: list[str] | None = None
    pack: str | None = None
    basis: Basis
    source: str = Field(min_length=1, max_length=2000)
    privacy_max_months: int | None = Field(None, ge=1, le=1200)
    enabled: bool = True


class CalendarDayIn(BaseModel):
    """A make-up workday or a day off."""

    model_config = ConfigDict(extra="forbid")

    working: bool
    name: str


class WorkingHoursIn(BaseModel):
    """Opening hours."""

    model_config = ConfigDict(extra="forbid")

    country: str
    zone: str
    opens: str
    closes: str
    weekdays: list[int]


@dataclass(frozen=True, slots=True)
class Kind:
    """One section of the file: how it is read from the tables, its model, and how an entry is put into force."""

    rows: Select[Any]
    document: Callable[[Any], tuple[str, dict[str, Any]]]
    model: type[BaseModel]
    put: Callable[[Transaction, str, Any, By], Awaitable[Any]]


def _client(key: str) -> tuple[str, str]:
    client, _, name = key.rpartition("/")
    return ("" if client == EVERYBODY else client), name


def _some(*names: str) -> Callable[[Any], dict[str, Any]]:
    return lambda row: {name: row._mapping[name] for name in names}


def _by(key: str, *names: str) -> Callable[[Any], tuple[str, dict[str, Any]]]:
    return lambda row: (row._mapping[key], _some(*names)(row))


def _of_client(name: str, held: str) -> Callable[[Any], tuple[str, dict[str, Any]]]:
    return lambda row: (f"{row.client or EVERYBODY}/{row._mapping[name]}", row._mapping[held])


def _mailing(row: Any) -> tuple[str, dict[str, Any]]:
    return f"{row.client or EVERYBODY}/{row.report}", _some(*mailing.Mailing.model_fields)(row)


def _named(key: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", key):
        raise ValueError("must be 1-64 lower-case letters, digits or hyphens")
    return key


async def _put_user(transaction: Transaction, key: str, given: users.UserChange, by: By) -> None:
    known = await transaction.first(select(user_table.c.name).where(user_table.c.name == key))
    if known is not None:
        await users.change_user(transaction, key, given, actor=by.user.name, now=by.now)
        return
    new = users.read_new({"name": key, **given.model_dump(exclude_unset=True)})
    await users.add_user(transaction, new, actor=by.user.name, now=by.now)


async def _put_group(transaction: Transaction, key: str, given: groups.GroupIn, by: By) -> None:
    stated = given.model_copy(update={"reason": by.reason})
    if await transaction.first(select(agent_groups.c.name).where(agent_groups.c.name == key)) is not None:
        await groups.change(transaction, key, stated, actor=by.user.name, now=by.now)
    else:
        new = groups.NewGroup(name=key, **stated.model_dump())
        await groups.create(transaction, new, actor=by.user.name, now=by.now)


async def _put_policy(transaction: Transaction, key: str, given: policies.PolicyIn, by: By) -> None:
    stated = given.model_copy(update={"reason": by.reason})
    await policies.put(transaction, key, stated, user=by.user, now=by.now)


async def _put_route(transaction: Transaction, key: str, given: inbound_routes.RouteChange, by: By) -> None:
    stated = given.model_copy(update={"reason": by.reason})
    await inbound_routes.put(transaction, key, stated, zone_key=by.zone, actor=by.user.name, now=by.now)


async def _put_class(transaction: Transaction, key: str, given: RetentionIn, by: By) -> None:
    values = given.model_dump() | {"clients": None if given.clients is None else tuple(given.clients)}
    found = RetentionClass(id=_named(key), **values)
    await retention_classes.save(transaction, found, reason=by.reason, actor=by.user.name, now=by.now)


async def _put_ladder(transaction: Transaction, key: str, given: complaint_ladders.Ladder, by: By) -> None:
    client, severity = _client(key)
    found = _SEVERITY.validate_python(severity)
    await complaint_ladders.put(transaction, found, client, given, reason=by.reason, user=by.user, now=by.now)


async def _put_rule(transaction: Transaction, key: str, given: deadline_rules.Rule, by: By) -> None:
    client, kind = _client(key)
    await deadline_rules.put(transaction, kind, client, given, reason=by.reason, user=by.user, now=by.now)


async def _put_day(transaction: Transaction, key: str, given: CalendarDayIn, by: By) -> None:
    country, _, day = key.partition("/")
    values = given.model_dump()
    await calendars.put_day(
        transaction, country, date.fromisoformat(day), **values, reason=by.reason, user=by.user, now=by.now
    )


async def _put_hours(transaction: Transaction, key: str, given: WorkingHoursIn, by: By) -> None:
    client = "" if key == EVERYBODY else key
    values = given.model_dump()
    await calendars.put_calendar(transaction, client, values, reason=by.reason, user=by.user, now=by.now)


async def _put_mapping(transaction: Transaction, key: str, given: ImportMapping, by: By) -> None:
    client, name = _client(key)
    await mappings.put(transaction, client, name, given, user=by.user, now=by.now)


async def _put_codes(transaction: Transaction, key: str, given: action_codes.CodeSet, by: By) -> None:
    await action_codes.put(transaction, key, given, user=by.user, now=by.now)


async def _put_template(transaction: Transaction, key: str, given: note_templates.Template, by: By) -> None:
    await note_templates.put(transaction, key, given, user=by.user, now=by.now)


async def _put_script(transaction: Transaction, key: str, given: third_party_script.ScriptIn, by: By) -> None:
    await third_party_script.put(transaction, key, given, user=by.user, now=by.now)


async def _put_form(transaction: Transaction, key: str, given: forms.Form, by: By) -> None:
    await forms.put(transaction, _named(key), given, reason=by.reason, user=by.user, now=by.now)


async def _put_mailing(transaction: Transaction, key: str, given: mailing.Mailing, by: By) -> None:
    client, report = _client(key)
    known = _REPORT.validate_python(report)
    await mailing.put(transaction, known, client, given, reason=by.reason, user=by.user, now=by.now)


async def _put_link(transaction: Transaction, key: str, given: LinkIn, by: By) -> None:
    if not NAME.fullmatch(key):
        raise ValueError("must be a client, or * for every other")
    await screen_pop_links.put(transaction, key, given.template, user=by.user, now=by.now)


async def _put_pool(transaction: Transaction, key: str, given: PoolIn, by: By) -> None:
    name, values = _POOL_NAME.validate_python(key), given.model_dump(exclude={"reason"})
    await caller_ids.put_pool(transaction, name, values, by.reason, actor=by.user.name, now=by.now)


async def _put_trunk(transaction: Transaction, key: str, given: TrunkIn, by: By) -> None:
    await put_trunk(transaction, _TRUNK_NAME.validate_python(key), given, by)


async def _put_format(transaction: Transaction, key: str, given: CdrFormat, by: By) -> None:
    await carrier_records.put_format(transaction, key, given, actor=by.user.name, now=by.now)


_PERSON = ("role", "extension", "pbx", "team", "clients", "language", "email", "auto_answer", "active")
_ROUTE = (
    "to",
    "target",
    "hours",
    "zone",
    "overflow",
    "ring_seconds",
    "announcement",
    "closed_message",
    "client",
    "enabled",
)
_HOURS = ("country", "zone", "opens", "closes", "weekdays")

KINDS: Mapping[str, Kind] = {
    "policies": Kind(
        select(policy_table), _by("client", "packs", "house", "zone", "announcement"), policies.PolicyIn, _put_policy
    ),
    "retention_classes": Kind(
        select(class_table), _by("id", *RetentionIn.model_fields), RetentionIn, _put_class
    ),
    "action_codes": Kind(
        select(action_code_sets), lambda row: (row.client, row.codes), action_codes.CodeSet, _put_codes
    ),
    "note_templates": Kind(
        select(template_table), _by("client", "columns", "encoding"), note_templates.Template, _put_template
    ),
    "third_party_scripts": Kind(
        select(third_party_scripts), _by("client", "zh", "en"), third_party_script.ScriptIn, _put_script
    ),
    "complaint_ladders": Kind(
        select(ladder_table), _of_client("severity", "ladder"), complaint_ladders.Ladder, _put_ladder
    ),
    "deadline_rules": Kind(select(rule_table), _of_client("kind", "rule"), deadline_rules.Rule, _put_rule),
    "working_calendars": Kind(
        select(working_calendars), lambda row: (row.client or EVERYBODY, _some(*_HOURS)(row)), WorkingHoursIn, _put_hours
    ),
    "calendar_days": Kind(
        select(calendar_days), lambda row: (f"{row.country}/{row.day}", _some("working", "name")(row)), CalendarDayIn, _put_day
    ),
    "import_mappings": Kind(select(import_mappings), _of_client("name", "mapping"), ImportMapping, _put_mapping),
    "users": Kind(select(user_table), _by("name", *_PERSON), users.UserChange, _put_user),
    "groups": Kind(select(agent_groups), _by("name", "members", "ring"), groups.GroupIn, _put_group),
    "inbound_routes": Kind(
        select(route_table), _by("did", *_ROUTE), inbound_routes.RouteChange, _put_route
    ),
    "screen_pop_links": Kind(select(link_table), _by("client", "template"), LinkIn, _put_link),
    "qa_forms": Kind(select(qa_forms), _by("id", *forms.Form.model_fields), forms.Form, _put_form),
    "report_mailings": Kind(select(report_mailings), _mailing, mailing.Mailing, _put_mailing),
    "trunks": Kind(select(trunk_table), trunk_document, TrunkIn, _put_trunk),
    "caller_id_pools": Kind(
        select(caller_id_pools), _by("name", "client", "region", "numbers", "daily_limit"), PoolIn, _put_pool
    ),
    "cdr_formats": Kind(select(carrier_formats), lambda row: (row.trunk, row.format), CdrFormat, _put_format),
}  # fmt: skip
"""In the order in which they are put: what others name comes first."""
