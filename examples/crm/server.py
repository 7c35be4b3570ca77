"""The server side of a CRM beside the service: it sends its cases, mints tokens for its pages, passes complaints on.

RINGFENCE_TOKEN holds the bearer token of a user of role `crm`; no page ever sees it. README.md has the command.
"""

import argparse
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

PAGES = Path(__file__).parent / "pages"
LOCATION = [{"source": "address", "zone": "Asia/Shanghai"}]


def person(identifier: str, name: str, *numbers: str) -> dict[str, Any]:
    """A debtor as `PUT /v1/cases/{id}` takes it."""
    listed = [{"e164": number, "kind": "mobile"} for number in numbers]
    return {"id": identifier, "relation": "debtor", "name": name, "locations": LOCATION, "numbers": listed}


CASES: dict[str, dict[str, Any]] = {
    "crm-1": {"debts": ["loan-1"], "parties": [person("crm-person-1", "Wang Wei", "+8613911110002", "+8613911110086")]},
    "crm-2": {"debts": ["loan-2"], "parties": [person("crm-person-2", "Li Na", "+8613911110105")]},
}


class Crm:
    """The pages, and the three things that a CRM's server says to the service."""

    def __init__(self, service: str, token: str, agent: str, client: str) -> None:
        self.service, self.agent, self.client = service.rstrip("/"), agent, client
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http: aiohttp.ClientSession | None = None

    async def begin(self, app: web.Application) -> AsyncIterator[None]:
        """Send the cases, and say where a popped one is in this CRM."""
        async with aiohttp.ClientSession(headers=self._headers) as self._http:
            for identifier, case in CASES.items():
                whole = {"client": self.client, "state": "open", "collector": self.agent, **case}
                await self.say("PUT", f"/v1/cases/{identifier}", whole)
            yield

    async def say(self, method: str, path: str, body: Any) -> Any:
        """One request to the service."""
        assert self._http is not None
        async with self._http.request(method, self.service + path, json=body) as answer:
            document = await answer.json()
            if answer.status >= 400:
                raise web.HTTPBadGateway(text=f"{path}: {document.get('detail')}")
            return document

    async def page(self, request: web.Request) -> web.Response:
        """A page that loads the service's script."""
        name = "case.html" if request.path == "/case" else "index.html"
        text = (PAGES / name).read_text("utf-8").replace("SERVICE", self.service)
        policy = f"default-src 'self'; script-src 'self' {self.service}; connect-src 'self' {self.service}"
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def cases(self, request: web.Request) -> web.Response:
        """What this CRM knows."""
        return web.json_response([{"id": identifier, **case} for identifier, case in CASES.items()])

    async def token(self, request: web.Request) -> web.Response:
        """A token for the page, for whoever is logged in at this CRM; here that is always the same collector."""
        if request.headers.get("Sec-Fetch-Site") != "same-origin":
            raise web.HTTPForbidden(text="only pages of this CRM get a token")
        origin = f"{request.scheme}://{request.host}"
        minted = await self.say("POST", "/v1/widget-tokens", {"agent": self.agent, "origin": origin, "seconds": 600})
        return web.json_response({"token": minted["token"], "expires_at": minted["expires_at"]})

    async def complaint(self, request: web.Request) -> web.Response:
        """What a customer complained about, told to this CRM: the calling stops at once."""
        given = await request.json()
        body = {"case_id": given["id"], "severity": "general", "text": given["text"]}
        return web.json_response(await self.say("POST", "/v1/complaints", body))

    def app(self) -> web.Application:
        """The CRM."""
        app = web.Application()
        app.cleanup_ctx.append(self.begin)
        app.router.add_get("/", self.page)
        app.router.add_get("/case", self.page)
        app.router.add_get("/cases.json", self.cases)
        app.router.add_post("/token", self.token)
        app.router.add_post("/complaint", self.complaint)
        app.router.add_static("/", PAGES)
        return app


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", default="http://127.0.0.1:8080")
    parser.add_argument("--agent", default="collector", help="who is logged in at this CRM")
    parser.add_argument("--client", default="example-bank", help="whose cases they are")
    parser.add_argument("--port", type=int, default=8090)
    given = parser.parse_args()
    token = os.environ.get("RINGFENCE_TOKEN")
    if not token:
        parser.error("RINGFENCE_TOKEN must hold the token of a user of role crm")
    crm = Crm(given.service, token, given.agent, given.client)
    web.run_app(crm.app(), host="127.0.0.1", port=given.port)


if __name__ == "__main__":
    main()
