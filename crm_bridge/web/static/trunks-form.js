// The form of one trunk: where the carrier is, what the trunk carries, and what it may show.

import { h } from "./dom.js";
import { t } from "./i18n.js";
import { field } from "./oversight.js";

const CODECS = ["alaw", "ulaw", "g722", "g729", "gsm", "ilbc", "opus"];
const FORMATS = ["e164", "digits", "national"];
const SETUP = ["host", "port", "transport", "username", "register", "codecs", "qualify_seconds"];
const COMMON = ["dial_format", "prefixes", "priority", "weight", "capacity", "caller_ids", "hours"];
const words = (text) => text.split(/[\s,;]+/).filter(Boolean);

/** A draft of a new trunk, or of one that there is. */
export function draftOf(trunk) {
  if (!trunk) {
    return { name: "", kind: "host", endpoint: "", host: "", port: 5060, transport: "udp", username: "", secret: "", register: true, codecs: ["alaw", "ulaw"], qualify_seconds: 20,
      dial_format: "e164", prefixes: [], priority: 10, weight: 1, capacity: 0, caller_ids: [], hours: "", reason: "" };
  }
  const common = Object.fromEntries(COMMON.map((name) => [name, trunk[name]]));
  const hours = trunk.hours?.map((band) => `${band.from}-${band.to}`).join(", ") ?? "";
  return { ...common, ...(trunk.setup ?? {}), name: trunk.name, kind: trunk.setup ? "host" : "endpoint", endpoint: trunk.endpoint, secret: "", hours, bands: trunk.hours, reason: "" };
}

/** What is sent of a draft. A secret that was not typed stays as it is. */
export function bodyOf(draft) {
  const body = Object.fromEntries(COMMON.map((name) => [name, draft[name]]));
  const shown = draft.bands?.map((band) => `${band.from}-${band.to}`).join(", ") ?? "";
  body.hours = draft.hours.trim() === shown ? draft.bands ?? null : draft.hours.trim() || null;
  if (draft.kind === "endpoint") body.endpoint = draft.endpoint;
  else for (const name of SETUP) body[name] = draft[name] === "" ? null : draft[name];
  if (draft.kind === "host" && draft.secret) body.secret = draft.secret;
  if (draft.reason.trim()) body.reason = draft.reason.trim();
  return body;
}

/** The form of a draft, which it changes in place; `redraw` when other controls are needed, `touched` at every change. */
export function trunkForm(draft, trunk, redraw, touched) {
  const set = (name, value) => {
    draft[name] = value;
    touched();
  };
  const text = (name, attributes = {}) => h("input", { type: "text", value: draft[name] ?? "", autocomplete: "off", maxlength: 253, ...attributes, "data-focus": `trunk-${name}`, on: { input: (event) => set(name, event.target.value) } });
  const number = (name, min, max) => h("input", { type: "number", min, max, required: true, value: draft[name], "data-focus": `trunk-${name}`, on: { input: (event) => set(name, Number(event.target.value)) } });
  const list = (name) => h("textarea", { rows: 2, "data-focus": `trunk-${name}`, on: { input: (event) => set(name, words(event.target.value)) } }, draft[name].join(", "));
  const choose = (name, values, label, act = set) => h("select", { "data-focus": `trunk-${name}`, on: { change: (event) => act(name, event.target.value) } }, values.map((one) => h("option", { value: one, selected: one === draft[name] }, label(one))));
  const named = (name, control) => field(`trunks.${name}`, control, `trunk-${name}`);
  return h("form", { class: "form", autocomplete: "off" },
    h("div", { class: "grid" },
      named("name", text("name", { required: true, readonly: Boolean(trunk), maxlength: 64, pattern: "[A-Za-z0-9][A-Za-z0-9_.\\-]*" })),
      !trunk && named("kind", choose("kind", ["host", "endpoint"], (one) => t(`trunks.kind.${one}`), (name, value) => { set(name, value); redraw(); })),
      draft.kind === "endpoint" && named("endpoint", text("endpoint", { required: true, maxlength: 64 }))),
    draft.kind === "host" && carrier(draft, trunk, { set, text, number, choose, named }),
    h("fieldset", { class: "bands" }, h("legend", {}, t("trunks.carries")), h("div", { class: "grid" },
      named("prefixes", list("prefixes")), named("dial_format", choose("dial_format", FORMATS, (one) => t(`trunks.dial_format.${one}`))),
      named("priority", number("priority", 0, 1000)), named("weight", number("weight", 0, 1000)), named("capacity", number("capacity", 0, 100000)),
      named("hours", text("hours", { placeholder: "09:00-18:00" })), named("caller_ids", list("caller_ids")))),
    h("div", { class: "grid" }, named("reason", text("reason", { maxlength: 2000 }))));
}

function carrier(draft, trunk, { set, text, number, choose, named }) {
  const secret = h("input", { type: "password", value: draft.secret, autocomplete: "new-password", maxlength: 128, placeholder: trunk?.setup?.has_secret ? t("trunks.secret_kept") : null, "data-focus": "trunk-secret", on: { input: (event) => set("secret", event.target.value) } });
  const codec = (one) => h("label", { class: "check" }, h("input", { type: "checkbox", checked: draft.codecs.includes(one), on: { change: (event) => set("codecs", event.target.checked ? [...draft.codecs, one] : draft.codecs.filter((known) => known !== one)) } }), " ", h("span", { translate: "no" }, one));
  return h("fieldset", { class: "bands" }, h("legend", {}, t("trunks.carrier")), h("div", { class: "grid" },
    named("host", text("host", { required: true })), named("port", number("port", 1, 65535)),
    named("transport", choose("transport", ["udp", "tcp", "tls"], (one) => one.toUpperCase())),
    named("username", text("username", { maxlength: 64 })), named("secret", secret), named("qualify_seconds", number("qualify_seconds", 0, 300))),
    h("label", { class: "check" }, h("input", { type: "checkbox", checked: draft.register, "data-focus": "trunk-register", on: { change: (event) => set("register", event.target.checked) } }), " ", t("trunks.register")),
    h("div", { class: "row", role: "group", "aria-label": t("trunks.codecs") }, h("span", { class: "small muted" }, t("trunks.codecs")), CODECS.map(codec)));
}
