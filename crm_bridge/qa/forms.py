"""Scoring forms as data, and what a filled-in form comes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Forbidden, Invalid, NotFound
from config.journal import Entry
from crm_bridge.people.users import User
from crm_bridge.qa.tables import qa_forms

SHIPPED = "standard"


class Text(BaseModel):
    """The words of a question in both languages."""

    model_config = ConfigDict(extra="forbid")

    en: str = Field(min_length=1, max_length=500)
    zh: str = Field(min_length=1, max_length=500)


class Question(BaseModel):
    """Something that is scored from 0 to `points`. A critical one without a point makes the whole score 0."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9_-]{1,32}$")
    text: Text
    weight: float = Field(1.0, gt=0, le=1000)
    points: int = Field(1, ge=1, le=100, description="1: yes or no")
    critical: bool = False


class Form(BaseModel):
    """A form: what is asked, and how much each answer weighs."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=128)
    questions: Annotated[list[Question], Field(min_length=1, max_length=100)]
    active: bool = True

    @model_validator(mode="after")
    def _names_each_once(self) -> "Form":
        names = [question.id for question in self.questions]
        if len(names) != len(set(names)):
            raise ValueError("each question needs an id of its own")
        return self


@dataclass(frozen=True, slots=True)
class Scored:
    """0 to 100, null where nothing applied; and the critical questions that got nothing."""

    score: float | None
    failed: tuple[str, ...]


def score(questions: Sequence[Question], given: Mapping[str, float | None]) -> Scored:
    """The weighted mean of points / possible points, of the questions that apply. Raises Invalid: not the form's."""
    known = {question.id: question for question in questions}
    errors = [
        {"field": f"scores.{name}", "message": "is no question of the form"} for name in given.keys() - known.keys()
    ]
    errors += [
        {"field": f"scores.{name}", "message": f"must be from 0 to {question.points}, or null"}
        for name, question in known.items()
        if (name not in given) or not _possible(given[name], question)
    ]
    if errors:
        raise Invalid(f"{errors[0]['field']}: {errors[0]['message']}", errors)
    applied = [(question, value) for question in questions if (value := given[question.id]) is not None]
    failed = tuple(question.id for question, value in applied if question.critical and value == 0)
    if not applied:
        return Scored(None, ())
    weight = sum(question.weight for question, _ in applied)
    reached = sum(question.weight * value / question.points for question, value in applied)
    return Scored(0.0 if failed else round(100 * reached / weight, 1), failed)


def _possible(value: float | None, question: Question) -> bool:
    return value is None or 0 <= value <= question.points


async def listed(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Every form, the active ones first; the shipped one until it is replaced."""
    rows = (await connection.execute(select(qa_forms).order_by(qa_forms.c.active.desc(), qa_forms.c.id))).all()
    saved: list[dict[str, Any]] = [dict(row._mapping) for row in rows]
    return saved if any(form["id"] == SHIPPED for form in saved) else [*saved, _shipped()]


async def find(connection: AsyncConnection, form_id: str) -> dict[str, Any]:
    """A form. Raises NotFound."""
    found = next((form for form in await listed(connection) if form["id"] == form_id), None)
    if found is None:
        raise NotFound(f"there is no form {form_id}")
    return found


async def put(
    transaction: Transaction, form_id: str, form: Form, *, reason: str = "", user: User, now: datetime
) -> dict[str, Any]:
    """Make or change a form: its version rises, reviews keep the questions they were scored by. Raises Forbidden."""
    if user.clients or user.team:
        raise Forbidden("a form holds for everybody: it takes somebody bound to no client and no team")
    await transaction.lock([f"qa-form:{form_id}"])
    before: Row[Any] | None = await transaction.first(select(qa_forms).where(qa_forms.c.id == form_id))
    values = form.model_dump(mode="json") | {"updated_at": now, "updated_by": user.name}
    values["version"] = (before.version if before is not None else int(form_id == SHIPPED)) + 1
    if before is None:
        await transaction.execute(insert(qa_forms).values(id=form_id, **values))
    else:
        await transaction.execute(update(qa_forms).where(qa_forms.c.id == form_id).values(**values))
    data = {"form_id": form_id, "version": values["version"], "form": form.model_dump(mode="json"), "reason": reason}
    transaction.journal(Entry(now, "qa.form_changed", user.name, data=data))
    return await find(transaction.connection, form_id)


def _question(name: str, en: str, zh: str, weight: float, critical: bool = False) -> dict[str, Any]:
    return {
        "id": name,
        "text": {"en": en, "zh": zh},
        "weight": weight,
        "points": 1 if critical else 5,
        "critical": critical,
    }


def _shipped() -> dict[str, Any]:
    """A form to begin with (S33, S54): what the rules forbid is critical, how people are spoken to is scored."""
    questions = [
        _question(
            "identity", "Made sure whom they speak to before naming the debt", "核实身份后才提及债务", 2, critical=True
        ),
        _question("lawful", "No threat, insult or false statement", "无威胁、辱骂或虚假陈述", 2, critical=True),
        _question("disclosure", "Told nobody else of the debt", "未向第三人透露债务", 2, critical=True),
        _question("opening", "Name, company and purpose at the start", "开场说明姓名、机构与来意", 1),
        _question("manner", "Polite and calm throughout", "全程礼貌、平和", 1),
        _question("facts", "Amount, due day and ways to pay are right", "金额、到期日与还款方式准确", 1),
        _question("needs", "Listened, and took up what was said", "倾听并回应对方诉求", 1),
        _question("note", "The note says what was said", "催记与通话内容相符", 1),
    ]
    return {"id": SHIPPED, "name": "标准质检表 / Standard", "questions": questions, "active": True, "version": 1,
            "updated_at": None, "updated_by": None}  # fmt: skip
