"""/docs: the API's description as one page, made of the OpenAPI document; it loads nothing from anywhere else."""

import json
from html import escape
from typing import Any

from aiohttp import web

from crm_bridge.web import keys
from crm_bridge.web.api import PUBLIC, Api, Media
from crm_bridge.web.openapi import document

api = Api("description")

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1f24; background: #fff }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #d0d7de }
details { margin: .5rem 0; border: 1px solid #d0d7de; border-radius: 6px }
summary { padding: .5rem .75rem; cursor: pointer } details > div { padding: 0 .75rem .75rem }
code, pre { font: 14px/1.4 ui-monospace, monospace } pre { overflow: auto; padding: .75rem; background: #f6f8fa }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700 } .roles { color: #57606a }
table { border-collapse: collapse } td, th { text-align: left; padding: .15rem 1rem .15rem 0; vertical-align: top }
@media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117 } pre { background: #161b22 }
  h2, details { border-color: #30363d } .roles { color: #9198a1 } a { color: #4493f8 } }
"""


@api.operation("GET", "/docs", roles=PUBLIC, answers={200: Media("text/html")}, summary="This API, readable")
async def docs(request: web.Request) -> web.Response:
    """Every operation with its roles, parameters, body and answers."""
    operations = request.app[keys.OPERATIONS]
    return web.Response(text=_page(document(operations)), content_type="text/html")


@api.operation("GET", "/docs.css", roles=PUBLIC, answers={200: Media("text/css")}, summary="The look of /docs")
async def style(_request: web.Request) -> web.Response:
    """Kept apart from the page, since no page has inline styles."""
    return web.Response(text=STYLE, content_type="text/css")


def _page(spec: dict[str, Any]) -> str:
    by_tag: dict[str, list[str]] = {}
    for path, methods in spec["paths"].items():
        for method, entry in methods.items():
            by_tag.setdefault(entry["tags"][0], []).append(_operation(method.upper(), path, entry))
    sections = "".join(f'<h2 id="{tag}">{tag}</h2>{"".join(entries)}' for tag, entries in sorted(by_tag.items()))
    links = " · ".join(f'<a href="#{tag}">{tag}</a>' for tag in sorted(by_tag))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Ringfence API</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/docs.css"></head><body>'
        f'<h1>Ringfence API</h1><p><a href="/openapi.json">openapi.json</a> · {links}</p><main>{sections}'
        f'<h2 id="schemas">schemas</h2>{"".join(map(_schema, sorted(spec["components"]["schemas"].items())))}</main>'
        "</body></html>"
    )


def _operation(method: str, path: str, entry: dict[str, Any]) -> str:
    roles = ", ".join(entry["x-roles"]) or "everybody, also without logging in"
    parts = [f'<p>{escape(entry["description"])}</p><p class="roles">Roles: {escape(roles)}</p>']
    if entry["parameters"]:
        parts.append(f"<table>{''.join(map(_parameter, entry['parameters']))}</table>")
    if "requestBody" in entry:
        parts.append(f"<p>Body: {_content(entry['requestBody'])}</p>")
    answers = "".join(_answer(status, answer) for status, answer in sorted(entry["responses"].items()))
    return (
        f'<details><summary><span class="method">{method}</span> <code>{escape(path)}</code> — '
        f"{escape(entry['summary'])}</summary><div>{''.join(parts)}<table>{answers}</table></div></details>"
    )


def _parameter(parameter: dict[str, Any]) -> str:
    meaning = parameter.get("description") or parameter["schema"].get("description", "")
    where = f"{parameter['in']}{', required' if parameter['required'] else ''}"
    return f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{where}</td><td>{escape(meaning)}</td></tr>"


def _answer(status: str, answer: dict[str, Any]) -> str:
    return f"<tr><td>{status}</td><td>{escape(answer['description'])}</td><td>{_content(answer)}</td></tr>"


def _content(holder: dict[str, Any]) -> str:
    found = []
    for kind, media in holder.get("content", {}).items():
        name = media.get("schema", {}).get("$ref", "").rpartition("/")[2]
        found.append(f'<a href="#schema-{escape(name)}">{escape(name)}</a>' if name else f"<code>{escape(kind)}</code>")
    return " ".join(found)


def _schema(named: tuple[str, Any]) -> str:
    name, schema = named
    text = escape(json.dumps(schema, indent=2, ensure_ascii=False))
    return (
        f'<details id="schema-{escape(name)}"><summary><code>{escape(name)}</code></summary><pre>{text}</pre></details>'
    )
