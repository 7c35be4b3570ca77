"""How a CRM's records are read, as data: which record is a case, which field is what, whose word counts."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from crm_bridge.cases.documents import CaseState
from telephony.policy.fields import NumberKind, Relation, ZoneKey

_PATH = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*){0,4}")
_MODEL = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)+")
_PREFIX = r"^[^\s/?#]*$"
Owner = Literal["crm", "desk"]
CaseField = Literal["state", "debts", "account", "mandate_until", "collector", "parties"]


def _path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise ValueError("must be a field's name, or a way to it like party.code")
    return text


def _model(text: str) -> str:
    if not _MODEL.fullmatch(text):
        raise ValueError("must be a model's name like project.work")
    return text


Path = Annotated[str, Field(max_length=128), AfterValidator(_path)]
Model = Annotated[str, Field(max_length=64), AfterValidator(_model)]


class Part(BaseModel):
    """Unknown keys are refused, by name."""

    model_config = ConfigDict(extra="forbid")


class StateMapping(Part):
    """Which of the CRM's words means which state of a case. A word that is not there is a conflict, never a guess."""

    field: Path = "status.name"
    values: dict[Annotated[str, Field(min_length=1, max_length=128)], CaseState] = Field(
        {"Open": "open", "Done": "closed"}, min_length=1, max_length=100
    )
    removed: Literal["returned", "closed"] = Field("returned", description="what a case becomes that is there no more")


class PartyMapping(Part):
    """One person of the case."""

    path: Path = Field("party", description="the field that leads to the person")
    relation: Relation = "debtor"
    id: Path = Field("code", description="of the person; the same person in two cases has one id")
    id_prefix: str = Field("", max_length=32, pattern=_PREFIX)
    name: Path = "name"
    numbers: Path = Field("contact_mechanisms", description="the person's list of ways to be reached")
    number: Path = "value"
    kind: Path = "type"
    kinds: dict[Annotated[str, Field(max_length=64)], NumberKind] = Field(
        {"mobile": "mobile", "phone": "landline"}, description="kinds that are not there are no phone numbers"
    )


class TrytonMapping(Part):
    """How Tryton's records become cases. Everything has a default: an empty mapping reads projects and their parties."""

    model: Model = Field("project.work", description="the record that is a case; notes are filed with it")
    domain: list[Any] = Field(
        [["type", "=", "project"]], max_length=50, description="which records, as Tryton's domain"
    )
    case_id: Path = "number"
    case_id_prefix: str = Field("", max_length=32, pattern=_PREFIX)
    account: Path | None = None
    debts: list[Path] = Field([], max_length=20)
    mandate_until: Path | None = None
    collector: Path | None = None
    state: StateMapping = StateMapping()
    parties: list[PartyMapping] = Field([PartyMapping()], min_length=1, max_length=20)
    zone: ZoneKey | None = Field("Asia/Shanghai", description="where everybody lives; null: their numbers alone say it")
    region: str | None = Field("CN", max_length=32, description="whose numbers those without a country code are")
    language: Literal["zh", "en"] = Field("zh", description="of the notes that we write")
    owns: dict[CaseField, Owner] = Field(
        {"collector": "desk"}, description="whose word counts; what is not there is the CRM's"
    )

    @field_validator("domain")
    @classmethod
    def _is_domain(cls, domain: list[Any]) -> list[Any]:
        if not _is_domain(domain):
            raise ValueError('must be a domain like [["type", "=", "project"]]')
        return domain

    def fields(self) -> list[str]:
        """Every field that is read of a record."""
        return sorted(set(self._fields()))

    def _fields(self) -> Iterator[str]:
        yield from ("write_date", "create_date", self.case_id, self.state.field, *self.debts)
        yield from (field for field in (self.account, self.mandate_until, self.collector) if field)
        for party in self.parties:
            yield from (f"{party.path}.{name}" for name in (party.id, party.name))
            yield from (f"{party.path}.{party.numbers}.{name}" for name in (party.number, party.kind))

    def is_desks(self, field: CaseField) -> bool:
        """Whether the desk's word counts for this field once the case is there."""
        return self.owns.get(field) == "desk"


def _is_domain(value: Any, depth: int = 0) -> bool:
    """Tryton's domains: clauses [field, operator, value, …], lists of them, and AND or OR in front."""
    if not isinstance(value, list) or depth > 5:
        return False
    parts = value[1:] if value[:1] in (["AND"], ["OR"]) else value
    return all(_is_clause(part) or _is_domain(part, depth + 1) for part in parts)


def _is_clause(value: Any) -> bool:
    return isinstance(value, list) and len(value) in (3, 4) and all(isinstance(one, str) for one in value[:2])
