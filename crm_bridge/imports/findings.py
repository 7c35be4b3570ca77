"""What is wrong with a row, or worth knowing of it: which column, what, and how to mend it, in both languages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["error", "warning"]
LONGEST_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding; the texts take `{…}` of its details."""

    level: Level
    en: str
    zh: str
    fix_en: str
    fix_zh: str


KINDS: Mapping[str, Kind] = {
    "no-case-id": Kind("error", "there is no case number", "缺少案件编号",
        "fill in the case number", "请填写案件编号"),
    "bad-case-id": Kind("error", "a case number has no spaces, / ? or #, and at most 128 characters",
        "案件编号不得含空格、/、? 或 #,且不超过128个字符", "write the number without them", "请去除这些字符"),
    "bad-id": Kind("error", "a person's number has no spaces, / ? or #, and at most 128 characters",
        "客户编号不得含空格、/、? 或 #,且不超过128个字符", "write the number without them", "请去除这些字符"),
    "bad-number": Kind("error", "{why}", "无法识别的电话号码", "write one phone number, with its area code",
        "请填写带区号的完整电话号码"),
    "masked-number": Kind("error", "the number is masked, so it cannot be called", "号码已脱敏，无法拨打",
        "ask the client for the whole number", "请向委托方索取完整号码"),
    "bad-date": Kind("error", "this is no date", "不是有效日期", "write it like 2026-03-31", "请写成 2026-03-31"),
    "ambiguous-date": Kind("error", "day and month cannot be told apart", "日和月无法区分",
        "write it like 2026-03-31, or say the order in the mapping", "请写成 2026-03-31,或在映射中指定顺序"),
    "precision-lost": Kind("error", "the spreadsheet kept only the first digits of a long number",
        "电子表格已丢失长数字的末几位", "format the column as text and export the file again",
        "请将该列设为文本格式后重新导出"),
    "bad-relation": Kind("error", "the relation is not known", "无法识别的关系",
        "write one of {known}, or add the word to the mapping", "请使用 {known} 之一，或在映射中添加该词"),
    "bad-value": Kind("error", "{why}", "值无效：{why}", "mend the value", "请更正该值"),
    "too-long": Kind("error", "longer than {limit} characters", "超过{limit}个字符", "shorten it", "请缩短"),
    "no-person": Kind("error", "a number without a person", "有号码但没有姓名或关系",
        "fill in who it belongs to", "请填写号码所属的人"),
    "same-row": Kind("error", "the same as row {row}", "与第{row}行完全相同", "delete one of the two", "请删除其中一行"),
    "same-case": Kind("error", "the case is in row {row} already", "该案件已在第{row}行出现",
        "put it into one row, or have the mapping merge rows of one case", "请合并为一行，或在映射中选择合并同一案件的行"),
    "differs": Kind("error", "says something else of the case than row {row}: {fields}", "与第{row}行的案件信息不一致：{fields}",
        "make both rows agree", "请使两行一致"),
    "first-is-bad": Kind("error", "row {row} of the same case is wrong", "同一案件的第{row}行有误",
        "mend row {row}", "请更正第{row}行"),
    "known-case": Kind("error", "the case is here already", "案件已存在",
        "take the row out, or have the mapping update known cases", "请删除该行，或在映射中选择更新已有案件"),
    "other-client": Kind("error", "a case of this number belongs to another client", "该案件编号属于其他委托方",
        "ask the client for another number", "请向委托方索取其他编号"),
    "not-yours": Kind("error", "the case is not one that you may change", "您无权更改该案件",
        "have somebody of its team import it", "请由其所属团队导入"),
    "no-formula-value": Kind("error", "a formula without a value", "公式没有计算结果",
        "open the file, let it calculate, save it", "请打开文件，计算后保存"),
    "cell-error": Kind("error", "the cell holds an error of the spreadsheet, such as #REF!", "单元格为错误值（如 #REF!)",
        "mend the formula or write the value", "请修正公式或直接填写值"),
    "unreadable": Kind("error", "{why}", "无法读取：{why}", "mend the row and upload the file again", "请更正该行后重新上传"),
    "refused": Kind("error", "{why}", "写入被拒绝：{why}", "mend what it says and import the row again", "请按提示更正后重新导入"),
    "extension": Kind("warning", "behind a switchboard: extension {extension}", "总机分机：{extension}",
        "nothing to do: it is shown beside the number", "无需处理：分机显示在号码旁"),
    "formula-value": Kind("warning", "a formula: its last value was taken", "公式：已采用其最近的计算结果",
        "write the value if it matters", "如有必要请直接填写值"),
    "looks-like-formula": Kind("warning", "starts like a formula; taken as plain text", "形似公式，已按纯文本处理",
        "look whether it belongs there", "请确认内容是否正确"),
    "merged-cell": Kind("warning", "a merged cell: its value was taken for this row", "合并单元格：该行采用其值",
        "undo the merging if this is wrong", "如有误请取消合并"),
    "hidden-characters": Kind("warning", "invisible characters or direction marks", "含不可见字符或方向控制符",
        "look whether it reads as it should", "请确认内容是否正确"),
    "control-characters": Kind("warning", "control characters were taken out", "已去除控制字符",
        "look whether it reads as it should", "请确认内容是否正确"),
    "extra-cells": Kind("warning", "{count} cells beyond the last heading were left out", "标题之外的{count}个单元格被忽略",
        "give them a heading if they matter", "如有必要请补充标题"),
    "number-left-out": Kind("warning", "left out: {why}", "已忽略该号码：{why}", "correct it and import the row again",
        "请更正后重新导入该行"),
    "number-twice": Kind("warning", "the number is there twice", "号码重复", "nothing to do", "无需处理"),
    "serial-date": Kind("warning", "a date as a number: read as {date}", "日期为数字：读作 {date}",
        "look whether that is the day", "请确认日期"),
    "updates": Kind("warning", "the case is here already and is updated", "案件已存在，将被更新", "nothing to do", "无需处理"),
    "not-open": Kind("warning", "the case is {state} here", "该案件在本系统中状态为 {state}",
        "resume it if it is to be worked on", "如需催收请先恢复案件"),
    # of the whole file
    "no-file": Kind("error", "the file is empty", "文件为空", "upload the right file", "请上传正确的文件"),
    "not-a-sheet": Kind("error", "this is no CSV, XLSX or XLS file: {why}", "不是 CSV、XLSX 或 XLS 文件：{why}",
        "save it as XLSX or CSV", "请另存为 XLSX 或 CSV"),
    "password": Kind("error", "the file is protected by a password", "文件受密码保护", "save it without one", "请去除密码后保存"),
    "too-big": Kind("error", "the file is too big: {why}", "文件过大：{why}", "split it", "请拆分文件"),
    "encoding": Kind("error", "byte {at} cannot be read as {encoding}", "第{at}字节无法按 {encoding} 读取",
        "name the encoding in the mapping, or save the file as UTF-8", "请在映射中指定编码，或另存为 UTF-8"),
    "no-sheet": Kind("error", "there is no sheet {name}", "没有名为 {name} 的工作表", "choose one of {known}",
        "请选择 {known} 之一"),
    "no-header": Kind("error", "no row has the headings {missing}", "找不到标题行，缺少：{missing}",
        "look at the headings, or say which row they are in", "请检查标题，或指定标题所在行"),
    "header-twice": Kind("error", "the heading {name} is there twice", "标题 {name} 重复", "rename one", "请重命名其中一个"),
    "no-rows": Kind("error", "there are no rows below the headings", "标题下没有数据", "upload the right file", "请上传正确的文件"),
    "unmapped": Kind("warning", "not taken over: {columns}", "未导入的列：{columns}", "map them if they matter",
        "如有必要请添加映射"),
    "broken-off": Kind("error", "reading broke off after row {row}: {why}", "读到第{row}行后中断：{why}",
        "mend the file there and upload it again", "请在该处更正后重新上传"),
}  # fmt: skip


def finding(code: str, column: str | None = None, value: object = None, **details: Any) -> dict[str, Any]:
    """A finding as it is stored: {code, level, column, value, what, what_zh, fix, fix_zh}."""
    kind = KINDS[code]
    shown = None if value is None else str(value)
    if shown is not None and len(shown) > LONGEST_SHOWN:
        shown = shown[:LONGEST_SHOWN] + "…"
    return {
        "code": code,
        "level": kind.level,
        "column": column,
        "value": shown,
        "what": kind.en.format(**details),
        "what_zh": kind.zh.format(**details),
        "fix": kind.fix_en.format(**details),
        "fix_zh": kind.fix_zh.format(**details),
    }


def has_error(findings: list[dict[str, Any]]) -> bool:
    """Whether one of them keeps the row out."""
    return any(one["level"] == "error" for one in findings)
