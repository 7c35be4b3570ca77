// Parts of the page of deliveries: the form of a webhook, the question why, and a state as a coloured word.

import { data, h } from "./dom.js";
import { exact, moment } from "./format.js";
import { t } from "./i18n.js";
import { field } from "./oversight.js";

const USUAL = ["note.written", "call.created", "call.ended", "recording.ready", "complaint.*", "case.*"];
const TONES = { on: "good", delivered: "good", disabled: "bad", dead: "bad", gone: "bad", refused: "bad", waiting: "warn", later: "warn" };

/** A state's word. */
export const tag = (state) => h("span", { class: "tag", "data-tone": TONES[state] ?? null }, t(`deliveries.state.${state}`));

/** A moment, or a dash. */
export const when = (iso) => (iso ? h("time", { datetime: iso, title: exact(iso) }, moment(iso)) : "–");

/** The form of a webhook; `draft` follows what is typed. */
export function webhookForm(draft, save, cancel) {
  const text = (name, attributes) => h("input", { type: "text", autocomplete: "off", value: draft[name], "data-focus": `hook-of-${name}`, ...attributes, on: { input: (event) => { draft[name] = event.target.value; } } });
  const box = (kind) => h("label", {}, h("input", { type: "checkbox", checked: draft.events.includes(kind), "data-focus": `hears-${kind}`, on: { change: (event) => toggle(draft, kind, event.target.checked) } }), h("span", {}, t(`deliveries.kind.${kind.replace(".*", "")}`), " ", h("code", { class: "muted small", translate: "no" }, kind)));
  const role = h("select", { "data-focus": "hook-role", on: { change: (event) => { draft.shown_as = event.target.value; } } }, ["crm", "supervisor", "qa", "collector"].map((one) => h("option", { value: one, selected: one === draft.shown_as }, t(`role.${one}`))));
  return h("form", { class: "form", on: { submit: (event) => { event.preventDefault(); save(); }, keydown: (event) => event.key === "Escape" && cancel() } },
    h("div", { class: "grid" }, field("deliveries.url", text("url", { type: "url", required: true, placeholder: "https://" }), "hook-url"), field("deliveries.name", text("name", { maxlength: 128 }), "hook-name")),
    h("fieldset", {}, h("legend", {}, t("deliveries.events")), USUAL.map(box), h("div", { class: "wide" }, field("deliveries.more_events", text("more", { "aria-describedby": "events-hint" }), "hook-more"), h("p", { class: "small muted", id: "events-hint" }, t("deliveries.events_hint")))),
    h("div", { class: "grid" }, field("deliveries.clients", text("clients", {}), "hook-clients"), field("deliveries.shown_as", role, "hook-role")),
    h("p", { class: "row" }, h("button", { class: "button button-primary", "data-focus": "save-hook" }, t("deliveries.save")), h("button", { type: "button", class: "button", "data-focus": "cancel-hook", on: { click: cancel } }, t("deliveries.cancel"))));
}

function toggle(draft, kind, on) {
  draft.events = on ? [...draft.events, kind] : draft.events.filter((one) => one !== kind);
}

/** A draft of a new webhook, or of one that there is. */
export function draftOf(hook) {
  if (!hook) return { id: null, url: "", name: "", events: ["note.written"], more: "", clients: "", shown_as: "crm" };
  return { ...hook, events: hook.events.filter((kind) => USUAL.includes(kind)), more: hook.events.filter((kind) => !USUAL.includes(kind)).join(", "), clients: hook.clients.join(", ") };
}

/** What the API takes of a draft. */
export function bodyOf(draft) {
  const words = (given) => given.split(/[\s,;，；]+/).filter(Boolean);
  return { url: draft.url.trim(), ...(draft.name.trim() ? { name: draft.name.trim() } : {}), events: [...draft.events, ...words(draft.more)], clients: words(draft.clients), shown_as: draft.shown_as };
}

/** Ask why; resolves to the reason, or null when it was thought better of. */
export function askWhy(host, title, about) {
  return new Promise((resolve) => {
    const reason = h("input", { type: "text", name: "reason", required: true, maxlength: 500, autocomplete: "off" });
    const answer = (value) => { dialog.close(); dialog.remove(); resolve(value); };
    const dialog = h("dialog", { "aria-labelledby": "why-title", on: { cancel: () => { dialog.remove(); resolve(null); } } },
      h("h2", { id: "why-title" }, title), about && h("p", { class: "muted" }, data(about)),
      h("form", { on: { submit: (event) => { event.preventDefault(); answer(reason.value.trim() || null); } } }, field("deliveries.reason", reason, "why-reason"),
        h("div", { class: "row" }, h("button", { class: "button button-primary" }, t("deliveries.go")), h("button", { type: "button", class: "button", on: { click: () => answer(null) } }, t("deliveries.cancel")))));
    host.append(dialog);
    dialog.showModal();
    reason.focus();
  });
}
