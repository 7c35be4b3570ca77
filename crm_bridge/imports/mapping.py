"""The mapping of a client's columns to what a case is made of: data, set by people, suggested from the headings."""

import re
import unicodedata
from collections.abc import Mapping as Words
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from telephony.policy.fields import NumberKind, Relation, ZoneKey

OnCase = Literal["case_id", "account", "debt", "mandate_until", "collector"]
OnPerson = Literal["party_id", "name", "identity", "relation", "number", "zone", "region"]
Target = Literal[OnCase, OnPerson]
ON_CASE: frozenset[str] = frozenset(get_args(OnCase))
REPEATED = frozenset({"debt", "number"})
MOST_PEOPLE = 20
Heading = Annotated[str, Field(min_length=1, max_length=255)]

RELATIONS: Words[str, Relation] = {
    "debtor": "debtor", "本人": "debtor", "债务人": "debtor", "借款人": "debtor", "持卡人": "debtor", "客户": "debtor",
    "guarantor": "guarantor", "担保人": "guarantor", "保证人": "guarantor", "共同借款人": "guarantor",
    "spouse": "spouse", "配偶": "spouse", "夫妻": "spouse", "丈夫": "spouse", "妻子": "spouse", "husband": "spouse",
    "wife": "spouse", "employer": "employer", "单位": "employer", "公司": "employer", "工作单位": "employer",
    "unrelated": "unrelated", "无关": "unrelated", "其他": "contact", "contact": "contact", "联系人": "contact",
    "父母": "contact", "父亲": "contact", "母亲": "contact", "父子": "contact", "母子": "contact", "子女": "contact",
    "儿子": "contact", "女儿": "contact", "兄弟": "contact", "姐妹": "contact", "亲属": "contact", "亲戚": "contact",
    "朋友": "contact", "同事": "contact", "同学": "contact", "邻居": "contact", "friend": "contact",
    "colleague": "contact", "parent": "contact", "relative": "contact", "other": "contact",
}  # fmt: skip


class Column(BaseModel):
    """One column: its heading in the file, and what it is. `person` 0 is the debtor, 1 and up are the others in order."""

    model_config = ConfigDict(extra="forbid")

    column: Heading
    field: Target
    person: int = Field(0, ge=0, le=MOST_PEOPLE)
    kind: NumberKind = Field("mobile", description="of a number")


class Mapping(BaseModel):
    """How a client's file is read."""

    model_config = ConfigDict(extra="forbid")

    columns: list[Column] = Field(min_length=1, max_length=200)
    sheet: str | None = Field(None, max_length=64, description="absent: the first visible one with anything in it")
    header_row: int | None = Field(None, ge=1, le=100, description="absent: the first row that has the headings")
    encoding: Literal["auto", "utf-8", "gb18030", "big5", "utf-16"] = "auto"
    delimiter: Literal["auto", ",", ";", "\t", "|"] = "auto"
    date_order: Literal["ymd", "dmy", "mdy"] = Field("ymd", description="where the year does not come first")
    rows_of_a_case: Literal["refuse", "merge"] = Field("refuse", description="several rows of one case in one file")
    known_cases: Literal["update", "refuse"] = "update"
    bad_numbers: Literal["refuse", "leave_out"] = Field("refuse", description="a bad number keeps its row out, or goes")
    relations: dict[Annotated[str, Field(max_length=64)], Relation] = Field({}, max_length=200)
    person_relation: Relation = Field("contact", description="of the others, where no column says it")
    people: dict[int, Relation] = Field({}, max_length=MOST_PEOPLE, description="the same, of one of them by number")
    zone: ZoneKey | None = Field("Asia/Shanghai", description="where everybody lives, where no column says it")
    region: str | None = Field("CN", max_length=32)
    mandate_until: date | None = None
    collector: str | None = Field(None, max_length=128)

    @model_validator(mode="after")
    def _fits(self) -> "Mapping":
        if not any(column.field == "case_id" for column in self.columns):
            raise ValueError("one column must be the case_id")
        seen: set[tuple[Any, ...]] = set()
        for column in self.columns:
            key = (column.field, 0 if column.field in ON_CASE else column.person)
            if key in seen and column.field not in REPEATED:
                raise ValueError(f"{column.field} of person {column.person} is mapped twice")
            seen.add(key)
        headings = [plain(column.column) for column in self.columns]
        twice = sorted({heading for heading in headings if headings.count(heading) > 1})
        if twice:
            raise ValueError(f"the column {', '.join(twice)} is mapped twice")
        return self

    def relation(self, word: str) -> Relation | None:
        """What a word in the file says of the relation; None where nobody knows it."""
        known = {plain(key): value for key, value in {**RELATIONS, **self.relations}.items()}
        return known.get(plain(word))


def plain(heading: str) -> str:
    """A heading or word as it is compared: width, case, spaces, brackets and punctuation do not matter."""
    return re.sub(r"[\s_\-*:()【】\[\]]+", "", unicodedata.normalize("NFKC", heading)).casefold()


_SUGGESTED: Sequence[tuple[str, Target]] = (
    (r"(委案|案件|案|合同|借据|委外)(编号|号码|号|id)|caseid|casenumber|caseno", "case_id"),
    (r"(身份证|证件|identity|idcard|idnumber).*", "identity"),
    (r"(客户|会员|用户)(编号|号码|号|id)|customer(id|no|number)|partyid", "party_id"),
    (r"(卡号|账号|帐号|账户|account|card).*", "account"),
    (r"(借据|贷款|产品|debt|loan).*", "debt"),
    (r"(委案|委托|退案|到期|截止|mandate).*(日期|日|时间|until|end)|退案日|mandateuntil", "mandate_until"),
    (r"(催收员|催员|坐席|经办|负责人|collector|agent).*", "collector"),
    (r".*(关系|relation).*", "relation"),
    (r".*(电话|手机|号码|座机|固话|phone|mobile|number|tel).*", "number"),
    (r".*(姓名|名字|户名|name).*", "name"),
)
_OTHERS = re.compile(r"联系人|紧急|亲属|担保|配偶|contact|guarantor|spouse|reference")
_KINDS: Sequence[tuple[str, NumberKind]] = (
    (r"单位|公司|办公|work|office", "work"),
    (r"座机|固话|家庭|住宅|landline|home", "landline"),
)


def suggest(headings: Sequence[str]) -> list[dict[str, Any]]:
    """A first mapping from the headings, as `columns`; whoever looks after the client corrects it."""
    found: list[dict[str, Any]] = []
    taken: set[tuple[str, int]] = set()
    people: dict[str, int] = {}
    for heading in headings:
        words = plain(heading)
        field = next((target for pattern, target in _SUGGESTED if re.fullmatch(pattern, _without_digits(words))), None)
        if not words or field is None:
            continue
        person = 0 if field in ON_CASE or not _OTHERS.search(words) else _person(words, people)
        if (field, person) in taken and field not in REPEATED:
            continue
        taken.add((field, person))
        kind = next((one for pattern, one in _KINDS if re.search(pattern, words)), "mobile")
        found.append(
            {"column": heading, "field": field, "person": person, **({"kind": kind} if field == "number" else {})}
        )
    return found


def _without_digits(words: str) -> str:
    return re.sub(r"[0-9一二三四五六七八九十]+", "", words)


def _person(words: str, people: dict[str, int]) -> int:
    """The number in the heading (联系人2电话), or one person for all headings that have none."""
    number = re.search(r"[0-9一二三四五六七八九十]", words)
    which = number.group() if number else "".join(_OTHERS.findall(words))
    return min(people.setdefault(which, len(people) + 1), MOST_PEOPLE)
