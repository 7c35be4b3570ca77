// The form of one person, which it changes in place.

import { h } from "./dom.js";
import { t } from "./i18n.js";
import { field } from "./oversight.js";

export const ROLES = ["collector", "qa", "supervisor", "admin", "crm"];

export function personForm(draft, known) {
  const text = (name, attributes = {}) => h("input", { type: "text", value: draft[name] ?? "", "data-focus": `person-${name}`, maxlength: 128, autocomplete: "off", ...attributes, on: { input: (event) => { draft[name] = event.target.value.trim() || null; } } });
  const choose = (name, values, words) => h("select", { "data-focus": `person-${name}`, on: { change: (event) => { draft[name] = event.target.value; } } }, values.map((one) => h("option", { value: one, selected: one === draft[name] }, words(one))));
  const check = (name, key) => h("label", { class: "check" }, h("input", { type: "checkbox", checked: draft[name], "data-focus": `person-${name}`, on: { change: (event) => { draft[name] = event.target.checked; } } }), " ", t(key));
  const clients = h("input", { type: "text", value: draft.clients.join(", "), "data-focus": "person-clients", autocomplete: "off", on: { input: (event) => { draft.clients = event.target.value.split(/[,，]+/).map((one) => one.trim()).filter(Boolean); } } });
  const secret = h("input", { type: "password", value: draft.password, "data-focus": "person-password", minlength: 8, maxlength: 256, autocomplete: "new-password", on: { input: (event) => { draft.password = event.target.value; } } });
  return h("form", { class: "form" },
    h("div", { class: "grid" },
      field("people.name", text("name", { required: true, readonly: known, pattern: "[A-Za-z0-9][A-Za-z0-9._@\\-]{0,127}" }), "person-name"),
      field("people.role", choose("role", ROLES, (one) => t(`role.${one}`)), "person-role"),
      field("people.extension", text("extension", { pattern: "[0-9]{2,10}", inputmode: "numeric" }), "person-extension"),
      field("people.pbx", text("pbx", { maxlength: 32 }), "person-pbx"),
      field("people.team", text("team", { maxlength: 64 }), "person-team"),
      field("people.clients", clients, "person-clients"),
      field("people.email", text("email", { type: "email", maxlength: 254 }), "person-email"),
      field("people.language", choose("language", ["zh", "en"], (one) => t(`language.${one}`)), "person-language"),
      field(known ? "people.new_password" : "people.password", secret, "person-password")),
    h("p", { class: "muted small" }, t("people.password_hint")),
    check("must_change_password", "people.change_at_login"), known && check("active", "people.may_come_in"));
}
