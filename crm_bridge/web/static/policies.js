// The policies of the clients: packs and stricter values, what a change would have denied last month, and what-if.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { exact, moment } from "./format.js";
import { icon } from "./icons.js";
import { loadRules, onLanguage, reasonOf, ruleText, t } from "./i18n.js";
import { field, open } from "./oversight.js";
import { policies } from "./policies-api.js";
import { currentVersions, packTable } from "./policy-packs.js";
import { valuesForm } from "./policy-values.js";

class PolicyPage extends HTMLElement {
  #may = false;
  #listed = [];
  #versions = [];
  #client = "";
  #draft = null;
  #found = null; // the preview of exactly this draft
  #said = null;
  #error = null;
  #verdict = null;
  #asked = { case_id: "", party_id: "", number: "", at: "" };
  #parts = null;

  async start(reader) {
    this.#may = ["admin", "supervisor"].includes(reader.role);
    this.#parts = { top: h("div"), packs: h("section", { class: "card" }), values: h("section", { class: "card" }), save: h("section", { class: "card" }), ask: h("section", { class: "card" }) };
    this.append(...Object.values(this.#parts));
    onLanguage(() => this.#draw());
    try {
      const [page, packs] = await Promise.all([policies.list(), policies.packs(), loadRules()]);
      this.#listed = page.items;
      this.#versions = currentVersions(packs);
      this.#choose(this.#listed[0]?.client ?? "");
    } catch (error) {
      this.#error = error;
      this.#draw();
    }
  }

  #choose(client) {
    const known = this.#listed.find((one) => one.client === client);
    this.#client = client;
    this.#draft = structuredClone(known ?? { packs: [], house: {}, zone: "Asia/Shanghai", announcement: null });
    this.#draft.reason = "";
    this.#found = this.#error = this.#said = null;
    this.#draw();
  }

  #changed() {
    this.#said = null;
    if (!this.#found) return;
    this.#found = null;
    this.#drawSave();
  }

  #draw() {
    fill(this.#parts.top, h("header", { class: "sheet-head" }, h("h1", {}, t("oversight.policies")), this.#chooser()), this.#notices());
    for (const name of ["packs", "values", "save", "ask"]) this.#parts[name].hidden = !this.#draft;
    if (!this.#draft) return;
    const choose = this.#may ? (pack, on) => this.#choosePack(pack, on) : null;
    fill(this.#parts.packs, h("h2", {}, t("policy.packs")), packTable(this.#versions, this.#draft.packs, choose, () => this.#draw()));
    fill(this.#parts.values, h("h2", {}, t("policy.values")), valuesForm(this.#draft.house, !this.#may, () => this.#changed(), () => this.#draw()));
    this.#drawSave();
    this.#drawAsk();
  }

  #notices() {
    return [
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      this.#said && h("p", { class: "notice notice-good", role: "status" }, icon("check"), this.#said()),
    ];
  }

  #chooser() {
    const names = this.#listed.map((one) => one.client);
    const input = h("input", { type: "text", list: "clients", value: this.#client, maxlength: 128, "data-focus": "client", translate: "no",
      on: { change: (event) => this.#choose(event.target.value.trim()) } });
    return h("div", { class: "row" }, field("policy.client", input, "client"), h("datalist", { id: "clients" }, names.map((name) => h("option", { value: name }))));
  }

  #choosePack(pack, on) {
    const others = this.#draft.packs.filter((one) => one.split("@")[0] !== pack);
    this.#draft.packs = on ? [...others, pack] : others;
    this.#changed();
    this.#draw();
  }

  // ---- preview, then save

  #drawSave() {
    const reason = h("input", { type: "text", maxlength: 2000, value: this.#draft.reason, "data-focus": "reason", on: { input: (event) => { this.#draft.reason = event.target.value; } } });
    const ready = this.#may && this.#client && this.#found;
    fill(this.#parts.save, h("h2", {}, t("policy.change")),
      !this.#may && h("p", { class: "muted" }, t("policy.read_only")),
      this.#may && h("div", { class: "form" },
        h("p", { class: "row" }, h("button", { type: "button", class: "button", id: "preview", "data-focus": "preview", on: { click: () => this.#preview() } }, t("policy.preview"))),
        h("div", { class: "found", role: "status" }, this.#found ? this.#told(this.#found) : h("p", { class: "muted" }, t("policy.preview_first"))),
        field("policy.reason", reason, "reason"),
        h("p", { class: "row" }, h("button", { type: "button", class: "button button-primary", id: "save", "aria-disabled": String(!ready), "data-focus": "save", on: { click: () => ready && this.#save() } }, t("policy.save")))));
  }

  #told(found) {
    return [
      h("p", {}, t("policy.would_deny", { denied: found.denied, judged: found.judged })),
      found.allowed > 0 && h("p", {}, t("policy.would_allow", { allowed: found.allowed })),
      found.truncated && h("p", { class: "muted small" }, t("policy.truncated")),
      found.by_rule.length > 0 && h("ul", {}, found.by_rule.map(({ rule, calls }) => h("li", {}, t("policy.by_rule", { calls }), " ", data(rule, { class: "muted small" }), " ", ruleText(rule)))),
      found.examples.length > 0 && h("div", { class: "scroll" }, h("table", {}, h("caption", { class: "visually-hidden" }, t("policy.examples")),
        h("tbody", {}, found.examples.map((one) => h("tr", {}, h("td", { class: "brief" }, h("time", { datetime: one.at, title: exact(one.at) }, moment(one.at))),
          h("td", {}, data(one.case_id)), h("td", {}, data(reasonOf(one)))))))),
    ];
  }

  async #preview() {
    const broken = this.#parts.values.querySelector("input:invalid");
    if (broken) return broken.reportValidity();
    await this.#try(async () => {
      const { packs, house } = this.#draft;
      this.#found = await policies.preview(this.#client, { packs, house });
    });
  }

  async #save() {
    if (!this.#draft.reason.trim()) {
      this.#error = null;
      this.querySelector("#reason").setAttribute("aria-invalid", "true");
      return this.querySelector("#reason").focus();
    }
    await this.#try(async () => {
      const { packs, house, zone, announcement, reason } = this.#draft;
      const saved = await policies.save(this.#client, { packs, house, zone, announcement, reason: reason.trim() });
      this.#listed = [...this.#listed.filter((one) => one.client !== saved.client), saved];
      this.#choose(saved.client);
      this.#said = () => t("policy.saved", { client: saved.client });
    });
  }

  async #try(act) {
    this.#error = this.#said = null;
    try {
      await act();
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  // ---- what if

  #drawAsk() {
    if (!this.#may) return fill(this.#parts.ask, h("h2", {}, t("policy.what_if")), h("p", { class: "muted" }, t("policy.read_only")));
    const input = (key, type) => h("input", { type, value: this.#asked[key], required: true, "data-focus": `ask-${key}`, on: { input: (event) => { this.#asked[key] = event.target.value; } } });
    const form = h("form", { class: "form", on: { submit: (event) => { event.preventDefault(); this.#ask(); } } },
      h("p", { class: "muted small" }, t("policy.what_if_hint")),
      h("div", { class: "grid" }, field("policy.case", input("case_id", "text"), "ask-case"), field("policy.party", input("party_id", "text"), "ask-party"),
        field("policy.number", input("number", "tel"), "ask-number"), field("policy.at", input("at", "datetime-local"), "ask-at")),
      h("p", { class: "row" }, h("button", { class: "button" }, t("policy.ask"))),
      h("div", { class: "found", role: "status", id: "verdict" }, this.#verdict && this.#answer(this.#verdict)));
    fill(this.#parts.ask, h("h2", {}, t("policy.what_if")), form);
  }

  #answer(verdict) {
    const allowed = verdict.verdict === "allow";
    const denials = verdict.denials.map((one) => h("li", {}, data(reasonOf(one)), " ", data(one.rule, { class: "muted small" })));
    return [h("p", { class: `notice notice-${allowed ? "good" : "bad"}` }, icon(allowed ? "check" : "blocked"), t(allowed ? "policy.allowed" : "policy.denied")), h("ul", {}, denials)];
  }

  async #ask() {
    this.#verdict = null;
    await this.#try(async () => {
      const { packs, house } = this.#draft;
      this.#verdict = await policies.whatIf({ ...this.#asked, at: new Date(this.#asked.at).toISOString(), change: { packs, house } });
    });
  }
}

customElements.define("policy-page", PolicyPage);
const reader = await open();
if (reader) await document.querySelector("policy-page").start(reader);
