// The page of all deadlines: what is due when and whose, by kind and state; some are ended here, with words.

import { explain } from "./api.js";
import { calendar, deadlines } from "./clocks-api.js";
import { countdown } from "./countdown.js";
import { data, fill, h } from "./dom.js";
import { day, exact, moment } from "./format.js";
import { icon } from "./icons.js";
import { knows, onLanguage, t } from "./i18n.js";
import { banner, field, open } from "./oversight.js";
import { ownStream } from "./own-stream.js";

const STATES = ["running", "open", "missed", "met", "cancelled", "all"];
const KINDS = ["complaint-step", "complaint-answer", "major-matter", "qa-finding", "finding-report", "retrieval", "import", "first-call", "first-round", "cadence", "note", "promise", "call-back", "mandate-end"];
const BY_HAND = ["major-matter", "qa-finding", "finding-report"];
const REFRESH = 30_000; // ms
const AGAIN = 500;

class DeadlinesPage extends HTMLElement {
  #chosen = { state: "running", kind: "", mine: "" };
  #items = null;
  #cursor = null;
  #error = null;
  #ending = null;
  #reporting = false;
  #again = null;

  async start(reader) {
    this.reader = reader;
    onLanguage(() => this.#draw());
    await this.load(null);
    setInterval(() => this.soon(), REFRESH);
  }

  soon() {
    if (this.#ending || this.#reporting || this.#cursor) return;
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.load(null), AGAIN);
  }

  async load(cursor) {
    try {
      const page = await deadlines.list({ ...this.#chosen, cursor, limit: 100 });
      this.#items = cursor ? [...this.#items, ...page.items] : page.items;
      this.#cursor = page.next_cursor;
      this.#error = null;
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  #choose(name, value) {
    this.#chosen = { ...this.#chosen, [name]: value };
    this.load(null);
  }

  #draw() {
    const heads = ["what", "due", "owner", "case", "state", "do"].map((name) => h("th", { scope: "col" }, t(`deadlines.column.${name}`)));
    fill(this, this.#head(), this.#reporting && this.#report(),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      this.#items?.length === 0 ? h("p", { class: "muted", role: "status" }, t("deadlines.none")) :
        h("section", { class: "card scroll", tabindex: "0", "aria-label": t("deadlines.title") }, h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, (this.#items ?? []).map((item) => this.#row(item))))),
      this.#cursor && h("button", { type: "button", class: "button", on: { click: () => this.load(this.#cursor) } }, t("cases.more")));
  }

  #head() {
    const select = (name, values, words) => {
      const control = h("select", { "data-focus": name, on: { change: (event) => this.#choose(name, event.target.value) } },
        values.map((value) => h("option", { value, selected: value === this.#chosen[name] }, words(value))));
      return field(`deadlines.filter.${name}`, control, `filter-${name}`);
    };
    const mine = h("input", { type: "checkbox", checked: this.#chosen.mine === "true", "data-focus": "mine", on: { change: (event) => this.#choose("mine", event.target.checked ? "true" : "") } });
    return h("header", { class: "sheet-head" }, h("h1", {}, t("deadlines.title")),
      h("div", { class: "row" },
        select("state", STATES, (state) => (["running", "all"].includes(state) ? t(`deadlines.state.${state}`) : t(`clock.state.${state}`))),
        select("kind", ["", ...KINDS], (kind) => (kind ? t(`clock.${kind}`) : t("deadlines.any"))),
        h("label", { class: "check" }, mine, t("deadlines.filter.mine")),
        h("button", { type: "button", class: "button", "data-focus": "report", "aria-expanded": String(this.#reporting), on: { click: () => this.#toggleReport() } }, t("deadlines.report"))));
  }

  #toggleReport() {
    this.#reporting = !this.#reporting;
    this.#draw();
    if (this.#reporting) this.querySelector("#report-text")?.focus();
  }

  #report() {
    const kinds = this.reader?.role === "collector" ? ["major-matter"] : BY_HAND;
    const kind = h("select", {}, kinds.map((one) => h("option", { value: one }, t(`clock.${one}`))));
    const text = h("input", { maxlength: 2_000, autocomplete: "off" });
    const about = h("input", { maxlength: 128, autocomplete: "off", spellcheck: "false" });
    const send = async (event) => {
      event.preventDefault();
      if (!text.value.trim()) return text.focus();
      await this.#try(() => deadlines.open({ kind: kind.value, text: text.value.trim(), case_id: about.value.trim() || null }), () => (this.#reporting = false));
    };
    return h("form", { class: "card form", on: { submit: send } },
      h("div", { class: "grid" }, field("deadlines.report.kind", kind, "report-kind"), field("deadlines.report.text", text, "report-text"), field("deadlines.report.case", about, "report-case")),
      h("div", {}, h("button", { type: "submit", class: "button button-primary" }, t("deadlines.report.submit"))));
  }

  #row(item) {
    const state = item.state === "missed" && item.ended_at ? "late" : item.state;
    const tone = { met: "good", missed: "bad", late: "warn" }[state];
    const running = !item.ended_at;
    return h("tr", { "data-deadline": item.id, "data-kind": item.kind },
      h("td", {}, item.complaint_id ? h("a", { href: `/supervisor/complaints/${item.complaint_id}` }, kindName(item)) : h("span", {}, kindName(item)), stepName(item), item.text && !item.kind.startsWith("complaint-") && h("p", { class: "small muted" }, data(item.text))),
      h("td", { class: "brief" }, running ? countdown(item.due_at, item.warn_at) : null, h("p", { class: "small muted" }, h("time", { datetime: item.due_at, title: exact(item.due_at) }, moment(item.due_at)))),
      h("td", {}, item.owner ? data(item.owner) : item.people.length ? data(item.people.join(", ")) : t(`clock.owner.${item.owner_role}`)),
      h("td", { class: "brief" }, item.case_id && h("a", { href: `/cases/${encodeURIComponent(item.case_id)}` }, data(item.case_id))),
      h("td", {}, h("span", { class: "tag", "data-tone": tone }, t(`clock.state.${state}`)),
        item.level > 0 && h("p", { class: "small muted" }, t("deadlines.level", { level: item.level })),
        item.told.length > 0 && h("p", { class: "small muted" }, t("deadlines.told", { names: item.told.join(", ") })),
        item.ended_by && h("p", { class: "small muted" }, t("deadlines.ended", { name: item.ended_by, when: moment(item.ended_at) }))),
      h("td", {}, item.by_hand && running && this.#actions(item)));
  }

  #actions(item) {
    if (this.#ending?.id === item.id) return this.#endForm(item);
    const button = (verb) => h("button", { type: "button", class: "button button-small", "data-focus": `${verb}-${item.id}`, on: { click: () => this.#ask(item.id, verb) } }, t(`deadlines.${verb}`));
    return h("div", { class: "line" }, button("done"), ["supervisor", "admin"].includes(this.reader?.role) && button("cancel"));
  }

  #ask(id, verb) {
    this.#ending = { id, verb };
    this.#draw();
    this.querySelector("#end-reason")?.focus();
  }

  #endForm(item) {
    const { verb } = this.#ending;
    const stop = () => { this.#ending = null; this.#draw(); };
    const reason = h("input", { maxlength: 2_000, autocomplete: "off", on: { keydown: (event) => event.key === "Escape" && stop() } });
    const send = async (event) => {
      event.preventDefault();
      if (!reason.value.trim()) return reason.focus();
      await this.#try(() => deadlines.end(item.id, verb, reason.value.trim()), () => (this.#ending = null));
    };
    return h("form", { class: "row", on: { submit: send } }, field("deadlines.reason", reason, "end-reason"), h("button", { type: "submit", class: "button button-primary button-small" }, t(`deadlines.${verb}`)));
  }

  async #try(ask, after) {
    try {
      await ask();
      after();
    } catch (error) {
      this.#error = error;
      return this.#draw();
    }
    await this.load(null);
  }
}

const kindName = (item) => (knows(`clock.${item.kind}`) ? t(`clock.${item.kind}`) : item.kind);

function stepName(item) {
  if (item.kind !== "complaint-step") return null;
  return h("p", { class: "small muted" }, knows(`complaint.stage.${item.step}`) ? t(`complaint.stage.${item.step}`) : item.step);
}

customElements.define("deadlines-page", DeadlinesPage);

const page = document.querySelector("deadlines-page");
const reader = await open();
if (reader) {
  const stream = ownStream(reader.name);
  stream.addEventListener("message", ({ detail }) => /^(complaint|deadline)\./.test(detail.kind) && page.soon());
  stream.start();
  await page.start(reader);
  if (["qa", "supervisor", "admin"].includes(reader.role)) {
    const found = await calendar().catch(() => null);
    if (found?.runs_out) banner("calendar", () => t("deadlines.calendar_ends", { day: day(found.known_until) }), "warn");
  }
}
