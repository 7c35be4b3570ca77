// One case: who owes what to whom, whom may be called now, how many attempts are left, and what happened.

import { actionCodes, cases, explain } from "./api.js";
import { isLive } from "./call-model.js";
import { partyBlock } from "./case-numbers.js";
import { summary } from "./case-summary.js";
import { entries, entryItem } from "./case-timeline.js";
import "./case-follow.js";
import "./complaint-open.js";
import "./note-box.js";
import { fill, h, reconcile } from "./dom.js";
import { icon } from "./icons.js";
import { currentLanguage, onLanguage, t } from "./i18n.js";

const STALE = 60_000; // ms; what is allowed changes with the clock
const SOONEST = 1_000;

/** Fires `dial` and `complete` upwards. `reader`: {name, canCall}. */
export class CaseView extends HTMLElement {
  reader = { name: null, canCall: false };
  #id = null;
  #case = null;
  #notes = [];
  #calls = [];
  #labels = {};
  #labelled = null; // whose codes they are
  #error = null;
  #busy = false;
  #timer = null;
  #parts = null;

  connectedCallback() {
    onLanguage(() => this.#draw());
    document.addEventListener("party-confirmed", () => this.refresh());
    this.#draw();
  }

  get caseId() {
    return this.#id;
  }

  /** The party's name, for those who know only its id. */
  partyOf(partyId) {
    return this.#case?.parties.find((party) => party.id === partyId) ?? null;
  }

  /** Show a case; null shows the invitation to choose one. */
  async show(caseId) {
    this.#id = caseId;
    this.#case = this.#error = null;
    this.#draw();
    await this.refresh();
  }

  /** Fetch the case, its notes and its calls again. */
  async refresh() {
    const wanted = this.#id;
    clearTimeout(this.#timer);
    if (!wanted) return;
    try {
      const [kase, notes, calls] = await Promise.all([cases.get(wanted), cases.notes(wanted), cases.calls(wanted), this.#loadLabels()]);
      if (wanted !== this.#id) return;
      await this.#loadLabels(kase.client).catch(() => {}); // then the codes stand for themselves
      if (wanted !== this.#id) return;
      this.#case = kase;
      this.#notes = notes.items;
      this.#calls = calls.items;
      this.#error = null;
    } catch (error) {
      if (wanted !== this.#id) return;
      this.#error = error;
    }
    this.#draw();
    clearTimeout(this.#timer); // another refresh may have run meanwhile
    this.#timer = setTimeout(() => this.refresh(), this.#untilStale());
  }

  /** A call's document from the stream: shown in the time line at once. */
  applyCall(call) {
    if (call.case_id !== this.#id || !this.#case) return;
    const known = this.#calls.find((one) => one.id === call.id);
    this.#calls = [{ ...known, ...call }, ...this.#calls.filter((one) => one !== known)];
    this.#draw();
  }

  /** Whether the reader's phone is taken, so that nothing else can be dialled. */
  setBusy(busy) {
    if (busy === this.#busy) return;
    this.#busy = busy;
    this.#draw();
  }

  focusFirstNumber() {
    (this.querySelector(".button-call") ?? this.querySelector(".number-row"))?.focus();
  }

  async #loadLabels(client) {
    if (this.#labelled === client) return;
    const { items } = await actionCodes(client);
    this.#labelled = client;
    this.#labels = Object.fromEntries(items.map(({ code, label }) => [code, label]));
  }

  /** The next moment at which something may be allowed, or a minute. */
  #untilStale() {
    const times = (this.#case?.parties ?? []).flatMap((party) => party.numbers.map((number) => Date.parse(number.retry_at ?? "") - Date.now()));
    const next = Math.min(...times.filter((time) => time > 0), STALE);
    return Math.max(next + SOONEST, SOONEST);
  }

  #draw() {
    if (!this.#case) return fill(this, this.#placeholder());
    this.#parts ??= this.#build();
    if (!this.contains(this.#parts.head)) fill(this, this.#parts.all);
    this.#parts.notes.caseId = this.#id;
    const { head, trouble, parties, timeline } = this.#parts;
    for (const title of this.querySelectorAll("[data-title]")) title.textContent = t(title.dataset.title);
    fill(head, summary(this.#case, this.reader.name));
    this.#parts.follow.show(this.#case, this.reader.role, this.#notes.map((one) => one.updated_at).join());
    this.#parts.complaint.show(this.#case, this.#calls);
    fill(trouble, this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)));
    const context = [currentLanguage(), this.#busy, Math.floor(Date.now() / STALE)].join();
    const phone = { can: this.reader.canCall, busy: this.#busy };
    reconcile(parties, this.#case.parties, (party) => party.id, (party) => partyBlock(party, this.#case, phone, (target) => this.#fire("dial", target)), context);
    this.#drawTimeline(timeline);
  }

  #drawTimeline(timeline) {
    const items = entries(this.#notes, this.#calls);
    const means = { labels: this.#labels, me: this.reader.canCall ? this.reader.name : null, complete: (call, note) => this.#fire("complete", { call, note }) };
    reconcile(timeline, items, (item) => item.id, (item) => entryItem(item, means), currentLanguage() + Object.keys(this.#labels).length);
    this.#parts.empty.textContent = items.length ? "" : t("timeline.empty");
  }

  #build() {
    const parts = {
      head: h("header", { class: "case-head" }), trouble: h("div"), parties: h("ul", { class: "parties" }),
      timeline: h("ol", { class: "timeline" }), empty: h("p", { class: "muted" }), notes: h("note-box"), follow: h("case-follow"), complaint: h("complaint-open"),
    };
    parts.notes.addEventListener("added", () => this.refresh());
    this.addEventListener("case-changed", () => this.refresh());
    const section = (title, ...content) => h("section", { class: "section", "aria-labelledby": title },
      h("h2", { id: title, "data-title": title }), content);
    parts.all = [parts.head, parts.trouble, parts.follow, parts.complaint, section("party.title", parts.parties), section("timeline.title", parts.notes, parts.timeline, parts.empty)];
    return parts;
  }

  #placeholder() {
    if (this.#error) return h("div", { class: "empty", role: "alert" }, icon("warning"), h("h1", {}, t("case.not_shown")), h("p", {}, explain(this.#error)));
    if (this.#id) return h("div", { class: "empty" }, h("p", { class: "muted", role: "status" }, t("case.loading")));
    return h("div", { class: "empty" }, icon("person"), h("h1", {}, t("case.choose")), h("p", { class: "muted" }, t("case.choose_hint")));
  }

  #fire(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { bubbles: true, detail }));
  }
}

customElements.define("case-view", CaseView);
