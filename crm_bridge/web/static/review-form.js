// The scoring form under a call in the replay desk, and the reviews that the call has.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { moment } from "./format.js";
import { icon } from "./icons.js";
import { currentLanguage, onLanguage, t } from "./i18n.js";
import { field } from "./oversight.js";
import { audits } from "./supervisor-api.js";

const FINDINGS = ["none", "minor", "major"];

export class ReviewForm extends HTMLElement {
  #call = null;
  #forms = null;
  #reviews = [];
  #given = {};
  #comment = "";
  #finding = "none";
  #form = null;
  #open = false;
  #error = null;

  connectedCallback() {
    onLanguage(() => this.#draw());
  }

  /** Show the form for a call; null shows nothing. A call that comes from a sample opens with its form. */
  async show(call) {
    if (call?.id !== this.#call?.id) this.#empty();
    this.#call = call;
    this.#error = null;
    this.#draw();
    if (!call) return;
    try {
      this.#forms ??= (await audits.forms()).filter((form) => form.active);
      this.#form ??= this.#forms[0] ?? null;
      const found = await audits.reviews(call.id);
      if (call !== this.#call) return;
      this.#reviews = found;
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  get #sample() {
    return new URLSearchParams(location.search).get("sample");
  }

  #empty() {
    [this.#given, this.#comment, this.#finding, this.#reviews, this.#open] = [{}, "", "none", [], this.#sample !== null];
  }

  #draw() {
    if (!this.#call) return fill(this);
    fill(this, h("section", { class: "review", "aria-label": t("audit.form") },
      h("div", { class: "line" }, h("h2", {}, t("audit.form")),
        this.#forms?.length > 0 && h("button", { type: "button", class: "button button-small end", "data-focus": "review", "aria-expanded": String(this.#open), on: { click: () => this.#toggle() } }, t("audit.score"))),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), h("span", {}, explain(this.#error), " ", data(this.#error.members?.detail ?? ""))),
      this.#reviews.length > 0 && h("ul", {}, this.#reviews.map(told)),
      this.#open && this.#form && this.#questions()));
  }

  #toggle() {
    this.#open = !this.#open;
    this.#draw();
  }

  #questions() {
    const choose = h("select", { "data-focus": "form", on: { change: (event) => this.#choose(event.target.value) } },
      this.#forms.map((form) => h("option", { value: form.id, selected: form === this.#form }, form.name)));
    const comment = h("textarea", { rows: 3, maxlength: 4_000, "data-focus": "comment", on: { input: (event) => (this.#comment = event.target.value) } });
    comment.value = this.#comment;
    const finding = h("select", { "data-focus": "finding", on: { change: (event) => (this.#finding = event.target.value) } },
      FINDINGS.map((one) => h("option", { value: one, selected: one === this.#finding }, t(`audit.finding.${one}`))));
    return h("form", { class: "questions", on: { submit: (event) => this.#send(event) } },
      this.#forms.length > 1 && field("audit.which_form", choose, "review-which"),
      this.#form.questions.map((question) => this.#question(question)),
      h("p", {}, t("audit.so_far"), " ", h("output", { id: "review-score" }, this.#score())),
      field("audit.finding", finding, "review-finding"),
      field("audit.comment", comment, "review-comment"),
      h("div", {}, h("button", { type: "submit", class: "button button-primary", "data-focus": "save" }, t("audit.save"))));
  }

  #question(question) {
    const id = `question-${question.id}`;
    const points = Array.from({ length: question.points + 1 }, (_, at) => question.points - at);
    const words = (value) => (question.points === 1 ? t(value ? "audit.yes" : "audit.no") : String(value));
    const given = this.#given[question.id];
    const control = h("select", { id, required: true, "data-focus": id, on: { change: (event) => this.#give(question.id, event.target.value) } },
      h("option", { value: "", selected: given === undefined }, t("audit.choose")),
      points.map((value) => h("option", { value, selected: given === value }, words(value))),
      h("option", { value: "null", selected: given === null }, t("audit.not_applicable")));
    return h("div", { class: "question" },
      h("label", { for: id }, data(question.text[currentLanguage()]), " ", question.critical && h("span", { class: "tag", "data-tone": "warn" }, t("audit.critical"))), control);
  }

  #give(name, value) {
    if (value === "") delete this.#given[name];
    else this.#given[name] = JSON.parse(value);
    this.querySelector("#review-score").textContent = this.#score();
  }

  // As the service works it out: the weighted mean of what applies, nothing where a critical question got nothing.
  #score() {
    const applied = this.#form.questions.filter((question) => typeof this.#given[question.id] === "number");
    if (applied.length === 0) return "–";
    if (applied.some((question) => question.critical && this.#given[question.id] === 0)) return "0";
    const weight = applied.reduce((sum, question) => sum + question.weight, 0);
    const reached = applied.reduce((sum, question) => sum + (question.weight * this.#given[question.id]) / question.points, 0);
    return String(Math.round((1_000 * reached) / weight) / 10);
  }

  #choose(id) {
    this.#form = this.#forms.find((form) => form.id === id);
    this.#given = {};
    this.#draw();
  }

  async #send(event) {
    event.preventDefault();
    const body = { call_id: this.#call.id, form_id: this.#form.id, scores: this.#given, comment: this.#comment, finding: this.#finding };
    try {
      await audits.review(this.#sample ? { ...body, sample_id: this.#sample } : body);
    } catch (error) {
      this.#error = error;
      return this.#draw();
    }
    this.#empty();
    this.#open = false;
    await this.show(this.#call);
  }
}

function told(review) {
  return h("li", { "data-review": review.id },
    h("p", { class: "line" },
      h("span", { class: "tag", "data-tone": review.finding === "none" ? "good" : "bad" }, review.score === null ? "–" : t("audit.scored", { score: review.score })),
      h("span", {}, t(`audit.finding.${review.finding}`)), h("span", { class: "small muted" }, data(review.reviewer), " ", moment(review.made_at))),
    review.comment && h("p", {}, data(review.comment)));
}

customElements.define("review-form", ReviewForm);
