"""A row of the file as a case document, by the client's mapping; with whatever keeps it out."""

from collections.abc import Mapping as Named
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from crm_bridge.cases.documents import CaseIn, Identifier
from crm_bridge.imports import cells
from crm_bridge.imports.findings import finding, has_error
from crm_bridge.imports.mapping import ON_CASE, Column, Mapping, plain
from crm_bridge.imports.sheets import Cell, Row

_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)
_ODD = {"formula": "formula-value", "no-value": "no-formula-value", "error": "cell-error", "merged": "merged-cell"}
LONGEST = {"account": 128, "debt": 128, "collector": 128, "name": 255, "identity": 64, "zone": 64, "region": 32}


@dataclass(frozen=True, slots=True)
class Checked:
    """A row that was looked at: its case, the document where nothing keeps it out, and what was found."""

    row: int
    case_id: str | None
    document: dict[str, Any] | None
    problems: list[dict[str, Any]]


class RowReader:
    """Reads the rows of one file: `headings` are its columns in order, `client` whose cases they become."""

    def __init__(self, mapping: Mapping, headings: Sequence[str], client: str, region: str) -> None:
        self._mapping, self._client, self._region = mapping, client, region
        at = {plain(heading): index for index, heading in reversed(list(enumerate(headings)))}
        self._columns = [(at[plain(column.column)], column) for column in mapping.columns if plain(column.column) in at]
        self._width = len(headings)

    def read(self, row: Row) -> Checked:
        """The row's case."""
        problems: list[dict[str, Any]] = []
        case: dict[str, Any] = {"debts": []}
        people: dict[int, dict[str, Any]] = {}
        for index, column in self._columns:
            cell = row.cells[index] if index < len(row.cells) else ""
            self._note_odd(row.odd.get(index), column, cell, problems)
            owner = case if column.field in ON_CASE else people.setdefault(column.person, {"numbers": []})
            self._take(column, cell, owner, problems)
        beyond = sum(1 for cell in row.cells[self._width :] if str(cell).strip())
        if beyond:
            problems.append(finding("extra-cells", count=beyond))
        case_id = self._case_id(case, problems)
        document = self._document(case_id, case, people, problems) if case_id is not None else None
        return Checked(row.number, case_id, None if has_error(problems) else document, problems)

    @staticmethod
    def _note_odd(odd: str | None, column: Column, cell: Cell, problems: list[dict[str, Any]]) -> None:
        if odd is not None and not (odd == "merged" and cell == ""):
            problems.append(finding(_ODD[odd], column.column, cell))

    def _take(self, column: Column, cell: Cell, owner: dict[str, Any], problems: list[dict[str, Any]]) -> None:
        """Put one cell where it belongs."""
        say, field = cells.sayer(problems, column.column), column.field
        if field == "number":
            leave_out = self._mapping.bad_numbers == "leave_out"
            found = cells.numbers(cell, self._region, leave_out, say)
            owner["numbers"] += [{**one, "kind": column.kind} for one in found]
        elif field == "mandate_until":
            owner[field] = cells.day(cell, self._mapping.date_order, say)
        elif field in ("name", "zone", "region", "collector"):
            owner[field] = self._short(field, cells.text(cell, say), say)
        elif field == "relation":
            self._relate(cells.text(cell, say), owner, say)
        else:
            written = self._short(field, cells.key(cell, say), say)
            if field == "debt":
                owner["debts"] += [debt for debt in [written] if debt and debt not in owner["debts"]]
            else:
                owner[field] = written.upper() if field == "identity" else written

    @staticmethod
    def _short(field: str, written: str, say: cells.Say) -> str:
        limit = LONGEST.get(field)
        if limit is not None and len(written) > limit:
            say("too-long", written, limit=limit)
        return written

    def _relate(self, word: str, owner: dict[str, Any], say: cells.Say) -> None:
        if not word:
            return
        relation = self._mapping.relation(word)
        if relation is None:
            say("bad-relation", word, known="本人/配偶/担保人/联系人/单位, debtor/spouse/guarantor/contact/employer")
        owner["relation"] = relation

    def _heading_of(self, field: str, person: int = 0) -> str | None:
        return next((c.column for _, c in self._columns if c.field == field and c.person == person), None)

    def _case_id(self, case: dict[str, Any], problems: list[dict[str, Any]]) -> str | None:
        written, heading = case.pop("case_id", ""), self._heading_of("case_id")
        if not written:
            if not has_error(problems):  # else the cell was there, and something is wrong with it
                problems.append(finding("no-case-id", heading))
            return None
        if not _is_identifier(written):
            problems.append(finding("bad-case-id", heading, written))
            return None
        return str(written)

    def _document(
        self, case_id: str, case: dict[str, Any], people: Named[int, dict[str, Any]], problems: list[dict[str, Any]]
    ) -> dict[str, Any] | None:
        parties = [self._party(case_id, index, people[index], problems) for index in sorted(people)]
        document = {"client": self._client, **{key: value for key, value in case.items() if value}}
        if self._mapping.mandate_until and "mandate_until" not in document:
            document["mandate_until"] = self._mapping.mandate_until
        if self._mapping.collector and "collector" not in document:
            document["collector"] = self._mapping.collector
        document["parties"] = [party for party in parties if party is not None]
        if has_error(problems):
            return None
        try:
            return CaseIn.model_validate(document).model_dump(mode="json", exclude_unset=True, by_alias=True)
        except ValidationError as error:
            for one in error.errors(include_url=False):
                where = ".".join(str(part) for part in one["loc"])
                problems.append(finding("bad-value", where, one.get("input"), why=one["msg"]))
            return None

    def _party(
        self, case_id: str, index: int, given: dict[str, Any], problems: list[dict[str, Any]]
    ) -> dict[str, Any] | None:
        """One person of the row; None where the row says nothing of such a person."""
        said = {key: value for key, value in given.items() if value}
        if index and not said.keys() - {"relation", "zone", "region"}:
            return None
        if index and said.get("numbers") and not {"name", "relation", "party_id", "identity"} & said.keys():
            mapped = {column.field for _, column in self._columns if column.person == index}
            if {"name", "relation"} & mapped:
                problems.append(finding("no-person", self._heading_of("number", index), said["numbers"][0]["e164"]))
        identifier = said.pop("party_id", None)
        if identifier is not None and not _is_identifier(identifier):
            problems.append(finding("bad-id", self._heading_of("party_id", index), identifier))
        relation = "debtor" if index == 0 else self._mapping.people.get(index, self._mapping.person_relation)
        zone, region = said.pop("zone", self._mapping.zone), said.pop("region", self._mapping.region)
        party = {"id": identifier or f"{case_id}-p{index}"[-128:], "relation": relation, **said}
        if zone:
            party["locations"] = [{"source": "address", "zone": zone, **({"region": region} if region else {})}]
        return party


def _is_identifier(written: str) -> bool:
    try:
        _IDENTIFIER.validate_python(written)
    except ValidationError:
        return False
    return True
