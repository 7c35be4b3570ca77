"""Whether a connector would work, step by step, in an admin's words; nothing is written anywhere."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from crm_bridge.connectors import faults
from crm_bridge.connectors.mapping import TrytonMapping
from crm_bridge.connectors.reading import read
from crm_bridge.connectors.tryton import NOTE, Tryton, at_path

SAMPLE = 200


@dataclass(frozen=True, slots=True)
class Step:
    """What was looked at, whether it is well, and what to do if not."""

    name: str
    ok: bool
    what: str
    what_zh: str


@dataclass(frozen=True, slots=True)
class Trial:
    """Every step up to the first that makes the next ones pointless; and the case that the first record would become."""

    ok: bool
    steps: list[Step]
    sample: dict[str, Any] | None


async def tried(tryton: Tryton, mapping: TrytonMapping, client: str, region: str) -> Trial:
    """Try it."""
    steps: list[Step] = []
    sample: dict[str, Any] | None = None
    try:
        async for step in _access(tryton, mapping):
            steps.append(step)
        bad = [step async for step in _fields(tryton, mapping)]
        steps += bad or [Step("fields", True, "every field of the mapping can be read", "映射中的所有字段均可读取")]
        if not bad:
            sample = await _sample(tryton, mapping, client, region, steps)
    except faults.CrmFault as fault:
        steps.append(_step_of(fault, tryton, mapping))
    return Trial(all(step.ok for step in steps), steps, sample)


def without_token(why: str) -> Trial:
    """It cannot even be tried: the stored token does not open."""
    return Trial(
        False, [Step("token", False, f"{why}: give the token again", f"令牌无法读取，请重新填写：{why}")], None
    )


async def _access(tryton: Tryton, mapping: TrytonMapping) -> AsyncIterator[Step]:
    there = await tryton.search(mapping.model, [], ["id"], limit=1)
    yield Step("access", True, "the CRM answers, and the token is accepted", "CRM 可访问，令牌有效")
    found = await tryton.search(mapping.model, mapping.domain, ["id"], limit=1)
    if not found:
        hint = "no record matches the domain" if there else "the token's user sees no record at all"
        hint_zh = "没有符合筛选条件的记录" if there else "令牌所属用户看不到任何记录"
        yield Step("records", False, f"{hint} of {mapping.model}", f"{mapping.model}：{hint_zh}")


async def _fields(tryton: Tryton, mapping: TrytonMapping) -> AsyncIterator[Step]:
    """Those that cannot be read, each by name: Tryton answers an unknown field with a 500 in HTML."""
    try:
        await tryton.search(mapping.model, mapping.domain, mapping.fields(), limit=1)
        return
    except (faults.Broken, faults.Rejected):
        pass
    for field in mapping.fields():
        try:
            await tryton.search(mapping.model, mapping.domain, [field], limit=1)
        except (faults.Broken, faults.Rejected) as fault:
            said = f"{mapping.model} has no field {field}, or the token's user may not read it ({fault.status})"
            yield Step(
                f"field {field}", False, said, f"{mapping.model} 没有字段 {field}，或令牌用户无权读取（{fault.status}）"
            )


async def _sample(
    tryton: Tryton, mapping: TrytonMapping, client: str, region: str, steps: list[Step]
) -> dict[str, Any] | None:
    """The first record as a case, words for states that the mapping does not know, and whether notes can be looked up."""
    found = await tryton.search(mapping.model, mapping.domain, mapping.fields(), limit=SAMPLE)
    words = {str(at_path(one, mapping.state.field)) for one in found} - set(mapping.state.values)
    if words:
        listed = ", ".join(sorted(words)[:10])
        what = f"states that the mapping does not know: {listed}; cases with them are listed as conflicts"
        steps.append(Step("states", False, what, f"映射中没有的状态：{listed}；相应案件会列为冲突"))
    if not found:
        return None
    await tryton.search(NOTE, [["resource", "=", f"{mapping.model},{found[0]['id']}"]], ["id"], limit=1)
    steps.append(Step("notes", True, "notes can be looked up", "可查询备注"))
    reading = read(found[0], mapping, client, region)
    problems = [{"code": one.code, "what": one.what, "what_zh": one.what_zh} for one in reading.problems]
    return {"record": reading.record, "case_id": reading.case_id, "case": reading.document, "problems": problems}


def _step_of(fault: faults.CrmFault, tryton: Tryton, mapping: TrytonMapping) -> Step:
    match fault:
        case faults.AccessLost():
            return Step(
                "token", False,
                "the CRM does not accept the token: make a key of the application REST API for a user of Tryton, and let the "
                "user or an administrator validate it", "CRM 不接受该令牌：请在 Tryton 为用户创建“REST API”应用密钥并确认",
            )  # fmt: skip
        case faults.NotThere():
            what = f"{tryton.url} answers, but has no database {tryton.database} with the REST API"
            return Step("database", False, what, f"{tryton.url} 可访问，但没有带 REST API 的数据库 {tryton.database}")
        case faults.Unreachable():
            return Step(
                "reach", False, f"{fault.reason}. Is the URL right?", f"无法连接 CRM，请检查 URL：{fault.reason}"
            )
        case faults.NoAnswer():
            return Step("reach", False, fault.reason, f"CRM 没有应答：{fault.reason}")
        case faults.Rejected():
            what = f"the token's user may not do this: {fault.reason}"
            return Step("rights", False, what, f"令牌所属用户没有权限：{fault.reason}")
        case _:
            what = f"{fault.reason}. Is {mapping.model} a model of this Tryton, and the domain right?"
            return Step("model", False, what, f"请检查模型 {mapping.model} 和筛选条件：{fault.reason}")
