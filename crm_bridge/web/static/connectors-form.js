// A connector as a form. Its mapping is data: shown as the JSON that the API takes.

import { h } from "./dom.js";
import { t } from "./i18n.js";
import { field } from "./oversight.js";

export const NEW = { id: null, name: "", url: "", database: "", token: "", client: "", minutes: 10, enabled: true, mapping: {} };

/** The draft of a connector that there is. */
export const draftOf = (crm) => ({ ...crm, token: "", mapping: JSON.stringify(crm.mapping, null, 2) });

/** The form; it writes into `draft`. */
export function connectorForm(draft) {
  const known = draft.id !== null;
  const input = (name, type = "text", extra = {}) => h("input", { type, value: draft[name] ?? "", "data-focus": `crm-${name}`, autocomplete: "off", spellcheck: "false", ...extra,
    on: { input: (event) => { draft[name] = event.target.value; } } });
  const mapping = h("textarea", { "data-focus": "crm-mapping", spellcheck: "false", "aria-describedby": "crm-mapping-hint", on: { input: (event) => { draft.mapping = event.target.value; } } });
  mapping.value = typeof draft.mapping === "string" ? draft.mapping : JSON.stringify(draft.mapping, null, 2);
  const enabled = h("input", { type: "checkbox", id: "crm-enabled", checked: draft.enabled, "data-focus": "crm-enabled", on: { change: (event) => { draft.enabled = event.target.checked; } } });
  return h("form", { class: "form", novalidate: true },
    h("div", { class: "grid" },
      field("connectors.name", input("name", "text", { required: true, maxlength: 128 }), "crm-name"),
      field("connectors.client", input("client", "text", { required: true, maxlength: 128, disabled: known }), "crm-client"),
      field("connectors.url", input("url", "url", { required: true, placeholder: "https://" }), "crm-url"),
      field("connectors.database", input("database", "text", { required: true }), "crm-database"),
      field(known ? "connectors.token_kept" : "connectors.token", input("token", "password", { required: !known, autocomplete: "new-password" }), "crm-token"),
      field("connectors.minutes", input("minutes", "number", { min: 1, max: 10080 }), "crm-minutes")),
    h("div", { class: "crm-mapping" }, field("connectors.mapping", mapping, "crm-mapping"), h("p", { class: "muted small", id: "crm-mapping-hint" }, t("connectors.mapping_hint"))),
    h("label", { class: "check", for: "crm-enabled" }, enabled, t("connectors.enabled")));
}

/** What is sent of a draft. Throws SyntaxError where the mapping is no JSON. */
export function bodyOf(draft) {
  const mapping = typeof draft.mapping === "string" ? JSON.parse(draft.mapping.trim() || "{}") : draft.mapping;
  const body = { name: draft.name.trim(), url: draft.url.trim(), database: draft.database.trim(), minutes: draft.minutes === "" || draft.minutes === null ? null : Number(draft.minutes), enabled: draft.enabled, mapping };
  if (draft.token) body.token = draft.token.trim();
  if (draft.id === null) body.client = draft.client.trim();
  return body;
}
