// The CRMs that are connected: how each is doing, whether it would work, pulls, and conflicts.

import { explain } from "./api.js";
import { connectors } from "./connectors-api.js";
import { conflictTable } from "./connectors-conflicts.js";
import { bodyOf, connectorForm, draftOf, NEW } from "./connectors-form.js";
import { data, fill, h } from "./dom.js";
import { duration, moment } from "./format.js";
import { currentLanguage, onLanguage, t } from "./i18n.js";
import { icon } from "./icons.js";
import { open } from "./oversight.js";

const REFRESH = 3_000; // ms
const TONES = { on: "good", off: "warn", disabled: "bad" };

/** Whether a pull found too many cases gone to believe it; its error names the parameter that has it believed. */
const heldBack = (crm) => crm.state === "on" && (crm.pull_error ?? "").includes("accept_removed");

class ConnectorsPage extends HTMLElement {
  #crms = [];
  #draft = null;
  #trial = null; // {name, steps, sample} of the last test
  #chosen = null; // whose conflicts are shown
  #conflicts = { items: [], next_cursor: null };
  #error = null;
  #said = null;
  #busy = false;
  #parts = null;

  async start() {
    const section = () => h("section", { class: "card", hidden: true });
    this.#parts = { top: h("div"), form: section(), list: h("section", { class: "card" }), trial: section(), conflicts: section() };
    this.append(...Object.values(this.#parts));
    onLanguage(() => this.#draw());
    await this.#load();
    setInterval(() => document.visibilityState === "visible" && !this.#draft && this.#refresh(), REFRESH);
  }

  async #load() {
    await this.#try(async () => { this.#crms = (await connectors.list()).items; });
  }

  async #refresh() {
    try {
      const before = JSON.stringify(this.#crms);
      this.#crms = (await connectors.list()).items;
      if (JSON.stringify(this.#crms) !== before) this.#drawList();
    } catch {
      // The next look may be luckier; what somebody does by hand tells its error.
    }
  }

  #draw() {
    fill(this.#parts.top, h("header", { class: "sheet-head" }, h("h1", {}, t("oversight.connectors")), h("button", { type: "button", class: "button button-primary", "data-focus": "new-crm", on: { click: () => this.#edit(NEW) } }, t("connectors.new"))),
      h("p", { class: "muted" }, t("connectors.about")),
      this.#error && h("div", { class: "notice notice-bad", role: "alert" }, icon("warning"), h("div", {}, this.#explained())),
      this.#said && h("p", { class: "notice notice-good", role: "status" }, icon("check"), this.#said()));
    this.#drawForm();
    this.#drawList();
    this.#drawTrial();
    this.#drawConflicts();
  }

  #explained() {
    if (this.#error instanceof SyntaxError) return t("connectors.mapping_no_json");
    const fields = this.#error.members?.errors ?? [];
    return [explain(this.#error), fields.length > 0 && h("ul", {}, fields.map((one) => h("li", {}, data(`${one.field}: ${one.message}`))))];
  }

  // ---- the list

  #drawList() {
    fill(this.#parts.list, h("h2", {}, t("connectors.list")),
      this.#crms.length === 0 ? h("p", { class: "muted" }, t("connectors.none")) : h("div", { class: "crm-list" }, this.#crms.map((crm) => this.#crm(crm))));
  }

  #crm(crm) {
    const act = (what, key, run, extra = {}) => h("button", { type: "button", class: "button button-small", "data-focus": `${what}-${crm.id}`, "aria-label": `${t(key)}: ${crm.name}`, disabled: this.#busy, ...extra, on: { click: run } }, t(key));
    const fact = (key, ...value) => [h("dt", { class: "muted" }, t(key)), h("dd", {}, ...value)];
    return h("article", { class: "crm", "data-crm": crm.id },
      h("div", { class: "crm-head" }, h("h3", {}, data(crm.name)), h("span", { class: "tag", "data-tone": TONES[crm.state] }, t(`connectors.state.${crm.state}`)), crm.pulling && h("span", { class: "tag" }, t("connectors.pulling")),
        crm.open_conflicts > 0 && h("span", { class: "tag", "data-tone": "warn" }, t("connectors.count_conflicts", { count: crm.open_conflicts }))),
      h("dl", {}, fact("connectors.where", data(`${crm.url} · ${crm.database}`)), fact("connectors.client", data(crm.client)), fact("connectors.last_pull", this.#lastPull(crm)),
        fact("connectors.last_note", crm.delivered_at ? moment(crm.delivered_at) : "–")),
      crm.reason && h("p", { class: "notice notice-bad" }, icon("warning"), data(crm.reason)),
      crm.pull_error && h("p", { class: "notice notice-bad" }, icon("warning"), h("span", {}, t("connectors.pull_failing", { since: moment(crm.failing_since) }), " ", data(crm.pull_error))),
      crm.last_error && h("p", { class: "notice notice-bad" }, icon("warning"), h("span", {}, t("connectors.note_failing"), " ", data(crm.last_error))),
      h("div", { class: "row" }, act("test", "connectors.test", () => this.#test(crm)), act("pull", "connectors.pull", () => this.#pull(crm), { disabled: this.#busy || crm.state !== "on" }),
        heldBack(crm) && act("accept", "connectors.accept_removed", () => this.#acceptRemoved(crm)),
        act("conflicts", "connectors.conflicts", () => this.#choose(crm)), act("edit", "connectors.edit", () => this.#edit(draftOf(crm))),
        act("switch", crm.state === "on" ? "connectors.switch_off" : "connectors.switch_on", () => this.#switch(crm))));
  }

  #lastPull(crm) {
    if (!crm.pulled_at) return t("connectors.never");
    const names = ["read", "created", "updated", "removed", "left_out", "conflicts"].filter((name) => crm.pulled?.[name]);
    const counts = names.map((name) => t(`connectors.count.${name}`, { count: crm.pulled[name] })).join(" · ");
    const next = crm.next_pull_at && !crm.pulling ? Math.max(0, (Date.parse(crm.next_pull_at) - Date.now()) / 1000) : null;
    return [moment(crm.pulled_at), counts && ` · ${counts}`, next !== null && ` · ${t("connectors.next", { in: duration(next) })}`].filter(Boolean);
  }

  // ---- what is done

  async #test(crm) {
    this.#trial = null;
    await this.#try(async () => { this.#trial = { name: crm.name, ...(await connectors.test(crm.id)) }; });
    if (this.#trial) this.#parts.trial.querySelector("h2").focus();
  }

  async #acceptRemoved(crm) {
    if (window.confirm(t("connectors.accept_sure", { name: crm.name }))) await this.#pull(crm, true);
  }

  async #pull(crm, acceptRemoved = false) {
    await this.#try(async () => {
      const asked = await connectors.pull(crm.id, acceptRemoved);
      this.#crms = this.#crms.map((one) => (one.id === asked.id ? asked : one));
      this.#said = () => t("connectors.pull_asked", { name: crm.name });
    });
  }

  async #switch(crm) {
    await this.#try(async () => {
      await connectors.change(crm.id, { enabled: crm.state !== "on" });
      this.#crms = (await connectors.list()).items;
    });
  }

  async #choose(crm) {
    await this.#try(async () => {
      this.#conflicts = await connectors.conflicts(crm.id);
      this.#chosen = crm;
    });
    if (this.#chosen) this.#parts.conflicts.querySelector("h2").focus();
  }

  async #more() {
    await this.#try(async () => {
      const next = await connectors.conflicts(this.#chosen.id, this.#conflicts.next_cursor);
      this.#conflicts = { items: [...this.#conflicts.items, ...next.items], next_cursor: next.next_cursor };
    });
  }

  async #decide(conflict, take) {
    await this.#try(async () => {
      await connectors.decide(this.#chosen.id, conflict.id, take);
      this.#conflicts = await connectors.conflicts(this.#chosen.id);
      this.#crms = (await connectors.list()).items;
      this.#said = () => t("connectors.decided");
    });
    this.#parts.conflicts.querySelector("h2")?.focus();
  }

  #drawTrial() {
    this.#parts.trial.hidden = !this.#trial;
    if (!this.#trial) return;
    const { name, ok, steps, sample } = this.#trial;
    fill(this.#parts.trial, h("h2", { tabindex: "-1" }, t(ok ? "connectors.trial_good" : "connectors.trial_bad", { name })),
      h("div", { class: "form" }, h("ul", { class: "steps" }, steps.map((step) => h("li", { "data-step": step.name }, icon(step.ok ? "check" : "warning"), data(currentLanguage() === "zh" ? step.what_zh : step.what)))),
        sample && [h("p", { class: "muted small" }, t("connectors.sample")), h("pre", { class: "crm-sample small", translate: "no", tabindex: "0", role: "region", "aria-label": t("connectors.sample") }, JSON.stringify(sample.case ?? sample.problems, null, 2))]));
  }

  #drawConflicts() {
    this.#parts.conflicts.hidden = !this.#chosen;
    if (!this.#chosen) return;
    const more = this.#conflicts.next_cursor ? () => this.#more() : null;
    fill(this.#parts.conflicts, h("h2", { tabindex: "-1" }, t("connectors.conflicts_of", { name: this.#chosen.name })), conflictTable(this.#conflicts.items, (one, take) => this.#decide(one, take), more));
  }

  // ---- the form

  #edit(draft) {
    this.#draft = structuredClone(draft);
    this.#error = this.#said = null;
    this.#draw();
    this.querySelector("#crm-name").focus();
  }

  #drawForm() {
    this.#parts.form.hidden = !this.#draft;
    if (!this.#draft) return fill(this.#parts.form);
    const form = connectorForm(this.#draft);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    form.append(h("p", { class: "row" }, h("button", { class: "button button-primary", "data-focus": "save-crm" }, t("connectors.save")),
      h("button", { type: "button", class: "button", "data-focus": "cancel-crm", on: { click: () => this.#close() } }, t("connectors.cancel")),
      this.#draft.id !== null && h("button", { type: "button", class: "button button-quiet", "data-focus": "remove-crm", on: { click: () => this.#remove() } }, t("connectors.remove"))));
    fill(this.#parts.form, h("h2", {}, this.#draft.id === null ? t("connectors.new") : data(this.#draft.name)), form);
  }

  #close() {
    this.#draft = null;
    this.#draw();
    this.querySelector('[data-focus="new-crm"]')?.focus();
  }

  async #save() {
    const { id, name } = this.#draft;
    await this.#try(async () => {
      const body = bodyOf(this.#draft);
      await (id === null ? connectors.create(body) : connectors.change(id, body));
      await this.#saved(() => t("connectors.saved", { name }));
    });
  }

  async #remove() {
    const { id, name } = this.#draft;
    if (!window.confirm(t("connectors.remove_sure", { name }))) return;
    await this.#try(async () => {
      await connectors.remove(id);
      await this.#saved(() => t("connectors.removed", { name }));
    });
  }

  async #saved(said) {
    this.#draft = null;
    this.#crms = (await connectors.list()).items;
    this.#said = said;
  }

  async #try(act) {
    this.#error = this.#said = null;
    this.#busy = true;
    this.#drawList();
    try {
      await act();
    } catch (error) {
      this.#error = error;
    }
    this.#busy = false;
    this.#draw();
  }
}

customElements.define("connectors-page", ConnectorsPage);
const reader = await open();
if (reader) await document.querySelector("connectors-page").start();
