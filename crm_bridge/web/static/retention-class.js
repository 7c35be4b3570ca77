// Retention classes: a table, and an editor that shows what a change would do before it is saved. Fires `changed`.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { day } from "./format.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";
import { field } from "./oversight.js";
import { retention } from "./oversight-api.js";

const KINDS = ["recording", "unanswered", "records"];
const ANCHORS = ["call", "last_activity"];
const BASES = ["law", "contract", "house"];

class RetentionClasses extends HTMLElement {
  canChange = false;
  #items = [];
  #edited = null;
  #preview = null;
  #error = null;

  connectedCallback() {
    onLanguage(() => this.#draw());
  }

  /** Show these classes. */
  show(items) {
    this.#items = items;
    if (!this.#edited) this.#draw();
  }

  #draw() {
    fill(this, h("section", { class: "card" },
      h("div", { class: "card-head" }, h("h2", {}, t("classes.title")),
        this.canChange && h("button", { type: "button", class: "button button-small", "data-focus": "new-class", on: { click: () => this.#edit({}) } }, t("classes.new"))),
      this.#edited && this.#form(this.#edited),
      h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("classes.title") }, this.#table())));
  }

  #table() {
    const head = ["classes.id", "classes.kind", "classes.length", "classes.anchor", "classes.clients", "classes.source"].map((key) => h("th", { scope: "col" }, t(key)));
    const row = (item) => h("tr", { "data-class": item.id },
      h("td", {}, data(item.id), !item.enabled && h("span", { class: "tag" }, t("classes.off"))), h("td", {}, t(`classes.kind.${item.kind}`)),
      h("td", { class: "brief" }, length(item.months)), h("td", {}, t(`classes.anchor.${item.anchor}`)),
      h("td", {}, item.clients === null ? t("classes.every_client") : data(item.clients.join(", ") || "–"), item.pack && h("span", { class: "muted small" }, " ", data(item.pack))),
      h("td", { class: "small" }, h("span", { class: "tag" }, t(`classes.basis.${item.basis}`)), " ", data(item.source)),
      h("td", {}, this.canChange && h("button", { type: "button", class: "button button-small", "data-focus": `edit-${item.id}`, on: { click: () => this.#edit(item) } }, t("classes.edit"))));
    return h("table", {}, h("thead", {}, h("tr", {}, head, h("td"))), h("tbody", {}, this.#items.map(row)));
  }

  #form(item) {
    const input = (name, value, more = {}) => h("input", { name, value: value ?? "", autocomplete: "off", ...more });
    const select = (name, values, chosen, words) => h("select", { name }, values.map((value) => h("option", { value, selected: value === chosen }, t(`${words}.${value}`))));
    const form = h("form", { class: "form rows", "data-form": "class", on: { submit: (event) => this.#submitted(event), input: () => this.#unseen() } },
      h("div", { class: "grid" },
        field("classes.id", input("id", item.id, { required: true, readonly: Boolean(item.id), maxlength: 64, pattern: "[a-z0-9][a-z0-9\\-]*" }), "c-id"),
        field("classes.kind", select("kind", KINDS, item.kind, "classes.kind"), "c-kind"),
        field("classes.years", input("years", Math.floor((item.months ?? 24) / 12), { type: "number", min: 0, max: 100, required: true }), "c-years"),
        field("classes.months", input("months", (item.months ?? 0) % 12, { type: "number", min: 0, max: 11, required: true }), "c-months"),
        field("classes.anchor", select("anchor", ANCHORS, item.anchor, "classes.anchor"), "c-anchor"),
        field("classes.basis", select("basis", BASES, item.basis ?? "contract", "classes.basis"), "c-basis"),
        field("classes.clients_hint", input("clients", item.clients?.join(", ")), "c-clients"),
        field("classes.pack", input("pack", item.pack), "c-pack"),
        field("classes.privacy_max", input("privacy_max_months", item.privacy_max_months, { type: "number", min: 1 }), "c-max")),
      h("label", { class: "check" }, h("input", { type: "checkbox", name: "every_client", checked: !item.id || item.clients === null }), t("classes.every_client")),
      h("label", { class: "check" }, h("input", { type: "checkbox", name: "enabled", checked: item.enabled ?? true }), t("classes.enabled")),
      field("classes.source", input("source", item.source, { required: true, maxlength: 2000 }), "c-source"),
      field("retention.reason", input("reason", "", { required: true, maxlength: 2000 }), "c-reason"),
      this.effect = h("div", { role: "status" }),
      h("p", { class: "row" },
        h("button", { type: "submit", class: "button button-primary", value: "try", "data-focus": "try-class" }, t("classes.preview")),
        (this.save = h("button", { type: "submit", class: "button", value: "save", hidden: true }, t("classes.save"))),
        h("button", { type: "button", class: "button button-quiet", on: { click: () => this.#edit(null) } }, t("replay.cancel"))));
    return form;
  }

  #edit(item) {
    this.#edited = item;
    this.#preview = null;
    this.#draw();
    this.querySelector(item?.id ? "[name=years]" : "form input")?.focus();
  }

  /** What was shown belongs to other values now: it has to be looked at again before it is saved. */
  #unseen() {
    this.save.hidden = true;
    fill(this.effect);
  }

  async #submitted(event) {
    event.preventDefault();
    const saving = event.submitter?.value === "save";
    const { id, ...body } = bodyOf(event.target);
    try {
      const { effect } = await retention.save(id, body, !saving);
      if (saving) {
        this.#edited = null;
        this.#draw();
        return this.dispatchEvent(new Event("changed"));
      }
      fill(this.effect, h("p", { class: "notice notice-warn" }, icon("clock"), h("span", {}, told(effect))));
      this.save.hidden = false;
      this.save.focus();
    } catch (error) {
      fill(this.effect, h("p", { class: "notice notice-bad" }, icon("warning"), explain(error)));
    }
  }
}

function bodyOf(form) {
  const { every_client: everyClient, enabled, clients, pack, privacy_max_months: most, ...plain } = Object.fromEntries(new FormData(form));
  return {
    ...plain, years: Number(plain.years), months: Number(plain.months), enabled: enabled === "on", pack: pack || null,
    clients: everyClient === "on" ? null : clients.split(/[,\uff0c]/).map((name) => name.trim()).filter(Boolean),
    privacy_max_months: most ? Number(most) : null,
  };
}

const length = (months) => [Math.floor(months / 12) && t("classes.n_years", { count: Math.floor(months / 12) }), months % 12 && t("classes.n_months", { count: months % 12 })].filter(Boolean).join(" ");

function told(effect) {
  const between = effect.earliest && (effect.earliest === effect.latest ? day(effect.latest) : `${day(effect.earliest)} – ${day(effect.latest)}`);
  return [t("classes.effect", { count: effect.recordings, extended: effect.extended }), between && t("classes.effect_dates", { dates: between }),
    effect.kept_longer > 0 && t("classes.effect_longer", { count: effect.kept_longer }), effect.uncovered > 0 && t("classes.effect_uncovered", { count: effect.uncovered })].filter(Boolean).join(" ");
}

customElements.define("retention-classes", RetentionClasses);
