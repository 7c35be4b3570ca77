"""The people at the CRM: they make, change and remove records over Tryton's REST, as its client does."""

import base64
import json
import uuid
from typing import Any, Self

import aiohttp

COMPANY = 1
STATUSES = {"Open": 1, "Done": 2, "Suspended": 3, "Settled": 4, "Returned": 5}


def encoded(value: Any) -> str:
    """A domain or order as Tryton's REST takes it in the query."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


class Records:
    """One database, by the key of one user. `tag` is in the names of all works made here."""

    def __init__(self, url: str, database: str, key: str) -> None:
        self.tag = uuid.uuid4().hex[:12]
        self._root = f"{url}/{database}/rest/model/"
        self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def _ask(self, method: str, path: str, **options: Any) -> Any:
        async with self._session.request(method, self._root + path, **options) as answer:
            text = await answer.text()
            assert answer.status < 300, f"{method} {path}: {answer.status} {text}"
            return json.loads(text) if text else None

    async def create(self, model: str, **values: Any) -> int:
        """A new record's id."""
        created: int = (await self._ask("POST", model, json=values))["id"]
        return created

    async def write(self, model: str, record: int, **values: Any) -> None:
        """Change a record."""
        await self._ask("PUT", f"{model}/{record}", json=values)

    async def delete(self, model: str, record: int) -> None:
        """Remove a record."""
        await self._ask("DELETE", f"{model}/{record}")

    async def search(self, model: str, domain: list[Any], *fields: str) -> list[dict[str, Any]]:
        """The records of a domain with these fields, by id."""
        query = [("d", encoded(domain)), ("o", encoded([["id", "ASC"]])), *(("f", field) for field in fields)]
        found: list[dict[str, Any]] = await self._ask("GET", model, params=query)
        return found

    async def debtor(self, name: str, *numbers: str, kind: str = "mobile") -> int:
        """A party with these contact mechanisms."""
        mechanisms = [{"type": kind, "value": number} for number in numbers]
        return await self.create("party.party", name=name, contact_mechanisms=[["create", mechanisms]])

    async def work(self, name: str, party: int | None, status: str = "Open", **values: Any) -> int:
        """A project.work of the type `project`, which is a case to us."""
        about = {
            "name": f"{self.tag} {name}",
            "type": "project",
            "company": COMPANY,
            "party": party,
            "status": STATUSES[status],
        }
        return await self.create("project.work", **about, **values)

    def mine(self) -> list[Any]:
        """The domain of the works made here."""
        return [["name", "like", f"{self.tag} %"]]

    async def number(self, work: int) -> str:
        """The number that Tryton gave a work."""
        (found,) = await self.search("project.work", [["id", "=", work]], "number")
        return str(found["number"])

    async def code(self, party: int) -> str:
        """The number that Tryton gave a party."""
        (found,) = await self.search("party.party", [["id", "=", party]], "code")
        return str(found["code"])

    async def notes(self, work: int) -> list[str]:
        """The texts of a work's notes."""
        found = await self.search("ir.note", [["resource", "=", f"project.work,{work}"]], "message")
        return [note["message"] for note in found]

    async def revoke(self, key: str) -> None:
        """Cancel a user application: its key opens nothing any more."""
        (application,) = await self.search("res.user.application", [["key", "=", key]], "state")
        await self._ask("POST", f"res.user.application/{application['id']}/cancel")
