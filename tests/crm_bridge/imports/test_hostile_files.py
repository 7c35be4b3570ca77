"""Files as they really come, and as somebody may want to hurt us: nothing is lost silently, nothing is executed or half done."""

import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from crm_bridge.imports import child, reading, sheets
from crm_bridge.imports.encodings import UnreadableText, encoding_of
from crm_bridge.imports.mapping import Mapping, suggest
from crm_bridge.imports.rows import RowReader
from crm_bridge.imports.sheets import Row, UnreadableFile, open_sheet
from tests.support.imports import HEADINGS, csv_file, line, mapping, xlsx_file


def read(**cells: Any) -> Any:
    """What a row with these cells becomes."""
    given = {"案件编号": "A1", "姓名": "王伟", **cells}
    reader = RowReader(Mapping.model_validate(mapping()), HEADINGS, "bank", "CN")
    return reader.read(Row(2, [given.get(heading, "") for heading in HEADINGS]))


def codes(**cells: Any) -> list[tuple[str | None, str]]:
    return [(one["column"], one["code"]) for one in read(**cells).problems]


@pytest.mark.parametrize(
    ("written", "numbers"),
    [
        ("0371-6555 1234 转 802", [("+8637165551234", "802")]),
        ("0371-65551234转802", [("+8637165551234", "802")]),
        ("13800138000", [("+8613800138000", None)]),
        (13800138000.0, [("+8613800138000", None)]),
        ("138 0013 8000", [("+8613800138000", None)]),
        ("=\"13800138000\"", [("+8613800138000", None)]),
        ("+86 138-0013-8000", [("+8613800138000", None)]),
        ("\uff11\uff13\uff18\uff10\uff10138000", [("+8613800138000", None)]),
        ("13800138000、13900139000", [("+8613800138000", None), ("+8613900139000", None)]),
        ("13800138000/13900139000", [("+8613800138000", None), ("+8613900139000", None)]),
        ("13800138000,13900139000\n0371-65551234", [("+8613800138000", None), ("+8613900139000", None), ("+8637165551234", None)]),
        ("13800138000\uff1b13900139000", [("+8613800138000", None), ("+8613900139000", None)]),
        ("13800138000\uff0c13900139000", [("+8613800138000", None), ("+8613900139000", None)]),
        ("\u200e13800138000\u202c", [("+8613800138000", None)]),
        ("", []),
    ],
)  # fmt: skip
def test_numbers_are_read_however_they_are_written(written: Any, numbers: list[tuple[str, str | None]]) -> None:
    found = read(手机号码=written)
    assert found.document is not None, found.problems
    listed = found.document["parties"][0].get("numbers", [])
    assert [(one["e164"], one["extension"]) for one in listed] == numbers


@pytest.mark.parametrize(
    ("column", "written", "code"),
    [
        ("手机号码", "12345", "bad-number"),
        ("手机号码", "138****8000", "masked-number"),
        ("手机号码", "1.38E+10", "precision-lost"),
        ("手机号码", "=1+1", "bad-number"),
        ("手机号码", "13800138000\nChannel: SIP/x", "bad-number"),
        ("手机号码", "1" * 5000, "bad-number"),
        ("身份证号", 1.101011990030775e17, "precision-lost"),
        ("身份证号", "1.10101E+17", "precision-lost"),
        ("卡号", 6.22588021234e15, "precision-lost"),
        ("案件编号", "", "no-case-id"),
        ("案件编号", "A 1", "bad-case-id"),
        ("案件编号", "../etc/passwd", "bad-case-id"),
        ("案件编号", "A" * 200, "bad-case-id"),
        ("姓名", "王" * 300, "too-long"),
        ("委托到期日", "2027-02-30", "bad-date"),
        ("委托到期日", "03/04/2027", "ambiguous-date"),
        ("委托到期日", "soon", "bad-date"),
        ("联系人1关系", "外星人", "bad-relation"),
        ("联系人1电话", "13900139000", "no-person"),
    ],
)
def test_what_is_wrong_is_named_by_its_column_and_keeps_the_row_out(column: str, written: Any, code: str) -> None:
    found = read(**{column: written})
    assert found.document is None
    assert (column, code) in [(one["column"], one["code"]) for one in found.problems]
    for one in found.problems:
        assert all(one[key] for key in ("what", "what_zh", "fix", "fix_zh"))
        assert len(one["value"] or "") <= 121


@pytest.mark.parametrize(
    "written", ["2027-03-31", "2027/3/31", "2027.3.31", "2027年3月31日", "20270331", "31/03/2027", "3/31/2027", 46477]
)
def test_a_day_is_read_however_it_is_written(written: Any) -> None:
    assert read(委托到期日=written).document["mandate_until"] == "2027-03-31"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("<script>alert(1)</script>", None),
        ("\u202egnp.exe", "hidden-characters"),
        ("王\u200b伟", "hidden-characters"),
        ("=HYPERLINK(\"http://x\")", "looks-like-formula"),
        ("@SUM(1+1)", "looks-like-formula"),
        ("-2+3+cmd|' /C calc'!A0", None),
        ("O'Brien; DROP TABLE cases;--", None),
        ("王\x00伟\x1b[2J", "control-characters"),
        ("𠮷野家", None),
    ],
)  # fmt: skip
def test_a_hostile_name_is_kept_as_text_and_told(name: str, code: str | None) -> None:
    found = read(姓名=name)
    kept = found.document["parties"][0]["name"]
    assert kept == name.replace("\x00", "").replace("\x1b", "")
    assert code is None or ("姓名", code) in codes(姓名=name)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_a_text_file_is_read_in_its_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_file(line("A1", 姓名="欧阳若曦"), encoding=encoding))
    rows = list(open_sheet(path, sheet=None, encoding="auto", delimiter="auto").rows)
    assert rows[1].cells[1] == "欧阳若曦"


def test_what_is_in_no_encoding_says_at_which_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\r\n" * 500_000 + b"\xff\xff")
    with pytest.raises(UnreadableText) as caught:
        encoding_of(path, "auto")
    assert caught.value.at == 2_500_000
    with pytest.raises(UnreadableFile):
        open_sheet(path, sheet=None, encoding="utf-8", delimiter="auto")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(mark.join(HEADINGS) + "\n" + mark.join(line("A1")) + "\n", encoding="utf-8")
    rows = list(open_sheet(path, sheet=None, encoding="auto", delimiter="auto").rows)
    assert rows[1].cells[:2] == ["A1", "王伟"]


def test_a_quote_that_is_never_closed_does_not_swallow_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_file(line("A1")) + b'A2,"broken\r\n' + csv_file(*(line(f"B{one}") for one in range(20))))
    with pytest.raises(UnreadableFile) as caught:
        list(open_sheet(path, sheet=None, encoding="auto", delimiter="auto").rows)
    assert caught.value.found["code"] == "broken-off"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "no-file"),
        (b"   \r\n", "no-file"),
        (b"<html><table><tr><td>1</td></tr></table>", "not-a-sheet"),
        (b"%PDF-1.7", "not-a-sheet"),
        (b"PK\x03\x04 not a zip at all", "not-a-sheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "not-a-sheet"),
    ],
)
def test_what_is_no_sheet_says_so(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as caught:
        open_sheet(path, sheet=None, encoding="auto", delimiter="auto")
    assert caught.value.found["code"] == code


def test_a_zip_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(sheets, "MOST_UNPACKED", 10_000_000)
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * 50_000_000)
    with pytest.raises(UnreadableFile) as caught:
        open_sheet(path, sheet=None, encoding="auto", delimiter="auto")
    assert caught.value.found["code"] == "too-big"


def _odd_workbook(book: Any, sheet: Any) -> None:
    sheet.merge_range(0, 0, 0, 9, "某银行委案清单")
    for column, heading in enumerate(HEADINGS):
        sheet.write(1, column, heading)
    sheet.merge_range(2, 0, 3, 0, "A1")
    sheet.write(2, 1, "王伟")
    sheet.write_number(2, 3, 13800138000)
    sheet.write_formula(3, 1, '=CONCATENATE("王","伟")', value="王伟")
    sheet.write_formula(4, 0, "=ROW()", value="")
    sheet.write(5, 0, "A3")
    sheet.write_formula(5, 1, "=1/0", value="#DIV/0!")
    sheet.write(6, 0, "A4")
    sheet.write_number(6, 2, 110101199003077516)
    sheet.write(7, 0, "A5")
    sheet.write_datetime(7, 6, date(2027, 3, 31), book.add_format({"num_format": "yyyy-mm-dd"}))


def order(path: Path, **more: Any) -> dict[str, Any]:
    return {"path": str(path), "client": "bank", "region": "CN", "mapping": mapping(**more), "preview": False}


def test_merged_cells_formulas_and_errors_of_a_workbook_are_told(tmp_path: Path) -> None:
    path = tmp_path / "odd.xlsx"
    xlsx_file(path, _odd_workbook)
    lines = list(reading.check(order(path)))
    assert lines[0]["file"]["header_row"] == 2
    rows = {one["row"]["row"]: one["row"] for one in lines if "row" in one}
    found = {number: [one["code"] for one in row["problems"]] for number, row in rows.items()}
    assert found[3] == []
    assert found[4] == ["merged-cell", "formula-value"]
    assert (rows[4]["case_id"], rows[4]["document"]["parties"][0]["name"]) == ("A1", "王伟")
    assert "no-formula-value" in found[5]
    assert found[6] == ["cell-error"]
    assert found[7] == ["precision-lost"]
    assert rows[8]["document"]["mandate_until"] == "2027-03-31"


def test_a_missing_heading_a_double_one_and_an_unmapped_one_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_file(["A1"], headings=["案件编号"]))
    (only,) = list(reading.check(order(path)))
    assert only["problems"][0]["code"] == "no-header"
    assert "手机号码" in only["problems"][0]["what"]
    path.write_bytes(csv_file([], headings=[*HEADINGS, "姓名"]))
    assert next(reading.check(order(path)))["problems"][0]["code"] == "header-twice"
    path.write_bytes(csv_file([*line("A1"), "5000"], headings=[*HEADINGS, "欠款金额"]))
    assert "欠款金额" in next(reading.check(order(path)))["problems"][0]["what"]


def test_cells_beyond_the_headings_are_not_lost_silently() -> None:
    reader = RowReader(Mapping.model_validate(mapping()), HEADINGS, "bank", "CN")
    found = reader.read(Row(2, [*line("A1"), "", "one more"]))
    assert [one["code"] for one in found.problems] == ["extra-cells"]


def test_headings_of_many_banks_are_recognised() -> None:
    headings = ["委案编号", "客户姓名", "证件号码", "手机", "单位电话", "信用卡号", "退案日期", "金额"]
    suggested = suggest([*headings, "紧急联系人姓名", "紧急联系人电话"])
    found = {one["column"]: (one["field"], one["person"]) for one in suggested}
    assert found["委案编号"] == ("case_id", 0)
    assert found["退案日期"] == ("mandate_until", 0)
    assert found["紧急联系人电话"] == ("number", 1)
    assert "金额" not in found


async def test_a_reader_that_dies_is_told_and_leaves_no_file(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(child.sys, "executable", "/bin/false")
    seen: list[Path] = []

    async def write(path: Path) -> None:
        path.write_bytes(b"x")
        seen.append(path)

    lines = [line async for line in child.lines(write, {"preview": True})]
    assert lines[-1]["problems"][0]["code"] == "not-a-sheet"
    assert not seen[0].exists()
