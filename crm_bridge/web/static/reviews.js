// Samples to audit: ten cases of each group of the day before, and spot checks; each leads to its call in the replay desk.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { day, duration, exact, moment } from "./format.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";
import { field, open } from "./oversight.js";
import { audits } from "./supervisor-api.js";

const DAY = 86_400_000;

class ReviewDesk extends HTMLElement {
  #samples = null;
  #chosen = new URLSearchParams(location.search).get("sample");
  #error = null;
  #drawing = false;

  async start() {
    onLanguage(() => this.#draw());
    await this.#load();
  }

  async #load() {
    try {
      this.#samples = await audits.samples();
      this.#error = null;
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  get #sample() {
    return this.#samples?.find((one) => one.id === this.#chosen) ?? this.#samples?.[0] ?? null;
  }

  #draw() {
    const sample = this.#sample;
    fill(this,
      h("header", { class: "sheet-head" }, h("h1", {}, t("audit.title")),
        this.#samples?.length > 0 && this.#choice(),
        h("button", { type: "button", class: "button", "data-focus": "spot", "aria-expanded": String(this.#drawing), on: { click: () => this.#toggle() } }, t("audit.spot"))),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), h("span", {}, explain(this.#error), " ", data(this.#error.members?.detail ?? ""))),
      this.#drawing && this.#form(),
      sample ? this.#shown(sample) : this.#samples && h("p", { class: "muted", role: "status" }, t("audit.none")));
  }

  #choice() {
    const control = h("select", { "data-focus": "sample", on: { change: (event) => this.#choose(event.target.value) } },
      this.#samples.map((one) => h("option", { value: one.id, selected: one === this.#sample }, title(one))));
    return field("audit.sample", control, "sample");
  }

  #choose(id) {
    this.#chosen = id;
    history.replaceState(null, "", `?sample=${id}`);
    this.#draw();
  }

  #toggle() {
    this.#drawing = !this.#drawing;
    this.#draw();
    this.querySelector("#spot-reason")?.focus();
  }

  #shown(sample) {
    const done = sample.calls.filter((call) => call.review).length;
    const groups = [...new Set(sample.calls.map((call) => call.group))];
    const heads = ["call", "agent", "case", "length", "review"].map((name) => h("th", { scope: "col" }, t(`audit.column.${name}`)));
    return h("section", { "aria-label": title(sample) },
      h("p", { role: "status" }, t("audit.progress", { done, all: sample.calls.length })),
      sample.reason && h("p", { class: "muted" }, data(sample.reason), " · ", data(sample.made_by)),
      h("p", { class: "small muted" }, t("audit.fair")),
      sample.calls.length > 0 && h("div", { class: "card scroll", tabindex: "0", role: "group", "aria-label": t("audit.title") },
        h("table", {}, h("thead", {}, h("tr", {}, heads)),
          groups.map((group) => h("tbody", {},
            h("tr", { class: "sample-group" }, h("th", { colspan: "5", scope: "rowgroup" }, group ? data(group) : t("audit.no_group"))),
            sample.calls.filter((call) => call.group === group).map((call) => row(sample, call)))))));
  }

  #form() {
    const yesterday = local(new Date(Date.now() - DAY));
    const from = h("input", { type: "date", value: yesterday, required: true });
    const to = h("input", { type: "date", value: yesterday, required: true });
    const by = h("select", {}, ["team", "agent", "client"].map((one) => h("option", { value: one }, t(`audit.by.${one}`))));
    const number = h("input", { type: "number", min: 1, max: 200, value: 10, required: true });
    const reason = h("input", { maxlength: 2_000, autocomplete: "off", required: true });
    const send = async (event) => {
      event.preventDefault();
      const until = new Date(`${to.value}T00:00`);
      until.setDate(until.getDate() + 1);
      await this.#send({ rule: { by: by.value, per_group: Number(number.value) }, from: new Date(`${from.value}T00:00`).toISOString(), to: until.toISOString(), reason: reason.value.trim() });
    };
    return h("form", { class: "card form", on: { submit: send, keydown: (event) => event.key === "Escape" && this.#toggle() } },
      h("div", { class: "grid" }, field("report.from", from, "spot-from"), field("report.to", to, "spot-to"), field("audit.by", by, "spot-by"), field("audit.per_group", number, "spot-number")),
      field("audit.reason", reason, "spot-reason"),
      h("div", {}, h("button", { type: "submit", class: "button button-primary" }, t("audit.draw"))));
  }

  async #send(body) {
    try {
      this.#chosen = (await audits.draw(body)).id;
      this.#drawing = false;
    } catch (error) {
      this.#error = error;
      return this.#draw();
    }
    await this.#load();
  }
}

function row(sample, call) {
  const review = call.review;
  return h("tr", { "data-call": call.call_id },
    h("td", { class: "brief" }, h("a", { href: `/qa/calls/${call.call_id}?sample=${sample.id}` }, h("time", { datetime: call.created_at, title: exact(call.created_at) }, moment(call.created_at)))),
    h("td", {}, data(call.agent)),
    h("td", {}, call.case_id && h("a", { href: `/cases/${encodeURIComponent(call.case_id)}` }, data(call.case_id))),
    h("td", { class: "brief" }, duration(call.seconds)),
    h("td", {}, review ? [
      h("span", { class: "tag", "data-tone": review.finding === "none" ? "good" : "bad" }, review.score === null ? t(`audit.finding.${review.finding}`) : t("audit.scored", { score: review.score })),
      review.finding !== "none" && h("span", { class: "small" }, " ", t(`audit.finding.${review.finding}`)),
      h("span", { class: "small muted" }, " ", data(review.reviewer)),
    ] : h("span", { class: "muted" }, t("audit.waiting"))));
}

const local = (date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;
const title = (sample) => t(`audit.kind.${sample.kind}`, { day: day(local(new Date(sample.from_at))) });

customElements.define("review-desk", ReviewDesk);
if (await open()) await document.querySelector("review-desk").start();
