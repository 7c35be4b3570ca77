"""Action codes: what a follow-up led to, one code each (S38), with the fields it requires (S37) and what it tells the policy.

The default set holds for every client that has none of its own. Codes are data: an admin sets a client's whole set.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Invalid, NotFound
from config.journal import Entry
from crm_bridge.notes.tables import action_code_sets
from crm_bridge.people import scope
from crm_bridge.people.users import User

Outcome = Literal["conversation", "voicemail", "no_answer", "busy", "not_in_service", "rejected", "dropped"]
Asked = Literal["note", "promise", "amount", "call_back", "outcome"]
Effect = Literal[
    "wrong_number", "number_valid", "not_in_service", "refused", "cease", "attorney", "deceased", "minor",
    "do_not_call", "dispute", "fraud_statement",
]  # fmt: skip
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Word = Annotated[str, Field(min_length=1, max_length=64)]


class Label(BaseModel):
    """A name in both languages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: Word
    en: Word


class NoteField(BaseModel):
    """A field of the client's own, such as how the party reacted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    label: Label
    kind: Literal["text", "choice", "date", "amount"] = "text"
    choices: list[Word] = Field([], max_length=50)

    @model_validator(mode="after")
    def _has_choices(self) -> "NoteField":
        if (self.kind == "choice") != bool(self.choices):
            raise ValueError("`choices` belong to a field of kind choice, which needs some")
        return self


class ActionCode(BaseModel):
    """A code with its names: what it says of the call, what must be given with it, and what it tells the policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")
    label: Label
    outcome: Outcome | None = Field(None, description="what it says of the call, where the network could not tell")
    requires: list[Asked | Name] = Field([], max_length=30, description="what must be given with it; own fields too")
    asks: list[Asked | Name] = Field([], max_length=30, description="what the form offers beside that")
    effects: list[Effect] = Field([], max_length=10, description="what it does to person, number or case, at once")


class CodeSet(BaseModel):
    """The codes of a client and its own fields."""

    model_config = ConfigDict(extra="forbid")

    codes: list[ActionCode] = Field(min_length=1, max_length=200)
    fields: list[NoteField] = Field([], max_length=30)

    @model_validator(mode="after")
    def _fits(self) -> "CodeSet":
        _require_distinct("codes", [code.code.upper() for code in self.codes])
        _require_distinct("fields", [field.name for field in self.fields])
        known = {*Asked.__args__, *(field.name for field in self.fields)}  # type: ignore[attr-defined]  # of a Literal
        for code in self.codes:
            unknown = sorted({*code.requires, *code.asks} - known)
            if unknown:
                raise ValueError(f"{code.code} asks for {', '.join(unknown)}, which is no field")
        return self

    def find(self, code: str) -> ActionCode:
        """The action code. Raises Invalid naming those there are."""
        for known in self.codes:
            if known.code == code:
                return known
        message = f"must be one of {', '.join(known.code for known in self.codes)}"
        raise Invalid(f"action_code {message}", [{"field": "action_code", "message": message}])


def _require_distinct(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what}: {', '.join(twice)} is there twice")


def _code(code: str, zh: str, en: str, outcome: Outcome | None = None, **more: Any) -> ActionCode:
    return ActionCode(code=code, label=Label(zh=zh, en=en), outcome=outcome, **more)


DEFAULT_SET = CodeSet(
    codes=[
        _code("PTP", "承诺还款", "promise to pay", "conversation", asks=["promise"]),
        _code("NEG", "协商中", "negotiating", "conversation"),
        _code("REF", "拒绝还款", "refuses to pay", "conversation"),
        _code("DIS", "有异议", "disputes the debt", "conversation"),
        _code("PAID", "称已还款", "says it is paid", "conversation"),
        _code("CB", "约定回电", "call back agreed", "conversation", asks=["call_back"]),
        _code("MSG", "转告", "message passed on", "conversation"),
        _code("THIRD", "第三方接听", "a third party answered", "conversation"),
        _code("WRONG", "号码非本人", "wrong number", "conversation", effects=["wrong_number"]),
        _code("STOP", "要求不再来电", "wants no more calls", "conversation", effects=["refused"]),
        _code("DEAD", "称已去世", "said to be deceased", "conversation", effects=["deceased"]),
        _code("COMP", "投诉倾向", "likely to complain", "conversation"),
        _code("HANG", "接通即挂", "hung up at once", "conversation"),
        _code("VM", "语音信箱", "voicemail", "voicemail"),
        _code("NA", "无人接听", "no answer", "no_answer"),
        _code("BUSY", "占线", "busy", "busy"),
        _code("REJ", "拒接", "call rejected", "rejected"),
        _code("OFF", "关机", "switched off", "no_answer"),
        _code("NIS", "空号或停机", "not in service", "not_in_service"),
        _code("OTHER", "其他", "other"),
    ]
)


async def codes_of(connection: AsyncConnection, client: str | None) -> CodeSet:
    """The codes in force for a client: its own, else the default set."""
    own = select(action_code_sets.c.codes).where(action_code_sets.c.client == client)
    found = await connection.scalar(own) if client is not None else None
    return CodeSet.model_validate(found) if found is not None else DEFAULT_SET


async def own_sets(connection: AsyncConnection, user: User) -> list[dict[str, Any]]:
    """The clients with codes of their own, of those the user may see."""
    mine = scope.clients_seen_by(user, action_code_sets.c.client)
    rows = await connection.execute(select(action_code_sets).where(mine).order_by(action_code_sets.c.client))
    return [{**row._mapping, **row.codes} for row in rows]


async def put(
    transaction: Transaction, client: str, given: CodeSet, *, reason: str = "", user: User, now: datetime
) -> bool:
    """Set a client's codes, from its next note on; True when it had none of its own. Raises Forbidden."""
    scope.require_client(user, client)
    await transaction.lock([f"action-codes:{client}"])
    before = (await codes_of(transaction.connection, client)).model_dump(mode="json")
    values = {"codes": given.model_dump(mode="json"), "updated_at": now, "updated_by": user.name}
    is_new = await transaction.insert_once(action_code_sets, client=client, **values)
    if not is_new:
        await transaction.execute(update(action_code_sets).where(action_code_sets.c.client == client).values(**values))
    data = {"codes": [code.code for code in given.codes], "before": before, "after": values["codes"], "reason": reason}
    _journal(transaction, client, data, user, now)
    return is_new


async def drop(transaction: Transaction, client: str, *, reason: str = "", user: User, now: datetime) -> None:
    """Have the default set hold again for a client. Raises NotFound, Forbidden."""
    scope.require_client(user, client)
    gone = await transaction.execute(delete(action_code_sets).where(action_code_sets.c.client == client))
    if not gone.rowcount:
        raise NotFound(f"client {client} has no action codes of its own")
    _journal(transaction, client, {"codes": None, "reason": reason}, user, now)


def _journal(transaction: Transaction, client: str, data: dict[str, Any], user: User, now: datetime) -> None:
    transaction.journal(Entry(now, "action_codes.changed", user.name, client, data=data))


def require_given(code: ActionCode, given: dict[str, Any], fields: Iterable[NoteField]) -> None:
    """Raise Invalid naming every field that the code requires and nobody filled in (S37)."""
    names = {field.name for field in fields}
    missing = [wanted for wanted in code.requires if not given.get(wanted)]
    if missing:
        errors = [
            {"field": f"fields.{wanted}" if wanted in names else wanted, "message": f"is required with {code.code}"}
            for wanted in missing
        ]
        raise Invalid(f"{code.code} requires {', '.join(missing)}", errors)
