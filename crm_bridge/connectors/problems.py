"""What stands between a CRM and us, as a person reads it: which field, both sides' values, what it means, in both languages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LONGEST = 4000


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of conflict; the texts take `{…}` of its details. `decided`: a person may take one side's value."""

    en: str
    zh: str
    decided: bool = False


KINDS: Mapping[str, Kind] = {
    "no-id": Kind("{path} is empty, so it cannot be told which one this is", "{path} 为空，无法识别"),
    "bad-id": Kind(
        "{path} holds spaces, / ? or #, or more than 128 characters", "{path} 含空格、/、? 或 #，或超过128个字符"
    ),
    "unknown-state": Kind(
        "the mapping does not know the state “{word}” ({path}): the case keeps the state it has here, a new one is left out",
        "映射中没有状态“{word}”（{path}）：已有案件状态不变，新案件暂不导入",
    ),
    "bad-number": Kind("person {person}: {why}; the number is left out", "客户 {person}：无法识别的电话号码，已忽略"),
    "no-person": Kind("there is nobody to call on it", "没有可联系的人"),
    "bad-value": Kind("{field}: {why}", "{field} 的值无效：{why}"),
    "other-client": Kind("a case of this number belongs to another client here", "本系统中该案件编号属于其他委托方"),
    "same-case": Kind("record {other} of the CRM is this case already", "CRM 中的记录 {other} 已对应该案件"),
    "refused": Kind("it cannot be written here: {why}", "无法写入：{why}"),
    "both-changed": Kind(
        "both sides changed {field}; here it stays as it is until somebody decides",
        "双方都修改了 {field}；在有人决定之前，本系统保持不变",
        decided=True,
    ),
    "stopped-there": Kind(
        "both sides changed the state; the CRM's forbids calling, so it counts until somebody decides",
        "双方都修改了状态；CRM 的状态禁止拨打，在有人决定之前以其为准",
        decided=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One conflict as it was found. Its key is what it is about, so that the same one is told once."""

    code: str
    field: str
    theirs: str | None
    ours: str | None
    what: str
    what_zh: str

    @property
    def key(self) -> str:
        """Within a record."""
        about = f":{self.theirs}" if self.code in ("bad-number", "bad-id") else ""
        return f"{self.code}:{self.field}{about}"[:180]


def problem(code: str, field: str, theirs: Any = None, ours: Any = None, **details: Any) -> Problem:
    """A conflict of this kind."""
    kind = KINDS[code]
    details = {"field": field, **details}
    return Problem(code, field[:64], _shown(theirs), _shown(ours), kind.en.format(**details), kind.zh.format(**details))


def _shown(value: Any) -> str | None:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
    return None if text is None else str(text)[:LONGEST]
