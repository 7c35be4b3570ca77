// The complaint board: a column a stage, a card a complaint with its countdown, arrow keys from card to card.

import { explain } from "./api.js";
import { complaints } from "./clocks-api.js";
import { countdown } from "./countdown.js";
import { data, fill, h } from "./dom.js";
import { moment } from "./format.js";
import { icon } from "./icons.js";
import { knows, onLanguage, t } from "./i18n.js";
import { open } from "./oversight.js";
import "./complaint-dialog.js";
import { ownStream } from "./own-stream.js";

const LADDER = ["collector", "supervisor", "manager", "company"];
const ENDS = ["ruling", "instruction", "settled"];
const REFRESH = 30_000; // ms, beside what the stream tells
const SETTLED_SHOWN = 10;
const AGAIN = 200; // ms; several events of one change are one reload

/** The name of a stage: ours in the reader's words, a ladder's own as it is. */
export const stageName = (stage) => (knows(`complaint.stage.${stage}`) ? t(`complaint.stage.${stage}`) : stage);

class ComplaintBoard extends HTMLElement {
  #items = null;
  #error = null;
  #severity = "";
  #again = null;

  async start() {
    onLanguage(() => this.#draw());
    this.addEventListener("keydown", (event) => this.#move(event));
    await this.load();
    setInterval(() => this.load(), REFRESH);
  }

  soon() {
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.load(), AGAIN);
  }

  async load() {
    try {
      const [waiting, settled] = await Promise.all([complaints.waiting(), complaints.settled()]);
      this.#items = [...waiting, ...settled.slice(0, SETTLED_SHOWN)];
      this.#error = null;
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  #draw() {
    const shown = (this.#items ?? []).filter((item) => !this.#severity || item.severity === this.#severity);
    const stages = [...new Set([...LADDER, ...shown.map((item) => item.stage).filter((stage) => !ENDS.includes(stage)), ...ENDS])];
    fill(this, this.#head(shown),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      this.#items?.length === 0 && h("p", { class: "muted", role: "status" }, t("complaint.board.none")),
      h("div", { class: "board", role: "group", "aria-label": t("complaint.board.title") },
        stages.map((stage) => column(stage, shown.filter((item) => item.stage === stage)))));
  }

  #head(shown) {
    const waiting = shown.filter((item) => item.stage !== "settled");
    const late = waiting.filter((item) => item.deadlines.some((clock) => clock.state === "missed")).length;
    const severities = ["", "general", "serious", "major"].map((severity) =>
      h("button", { type: "button", "data-focus": `severity-${severity}`, "aria-pressed": String(severity === this.#severity), on: { click: () => this.#choose(severity) } },
        severity ? t(`complaint.severity.${severity}`) : t("complaint.board.all")));
    return h("header", { class: "sheet-head" },
      h("h1", {}, t("complaint.board.title")),
      h("p", { class: "muted", role: "status" }, t("complaint.board.count", { count: waiting.length, late })),
      h("div", { class: "line end" },
        h("div", { class: "switch", role: "group", "aria-label": t("complaint.board.severity") }, severities),
        h("a", { class: "button button-small", href: "/v1/complaint-reports/weekly?format=html", target: "_blank", rel: "noopener" }, t("complaint.board.report"))));
  }

  #choose(severity) {
    this.#severity = severity;
    this.#draw();
  }

  #move(event) {
    const card = event.target.closest?.(".complaint");
    const way = { ArrowDown: [0, 1], ArrowUp: [0, -1], ArrowRight: [1, 0], ArrowLeft: [-1, 0] }[event.key];
    if (!card || !way || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const columns = [...this.querySelectorAll(".stage")].map((stage) => [...stage.querySelectorAll(".complaint")]);
    let x = columns.findIndex((cards) => cards.includes(card));
    let y = columns[x].indexOf(card);
    if (way[1]) return columns[x][y + way[1]]?.focus();
    do x += way[0]; while (columns[x] && !columns[x].length);
    y = Math.min(y, (columns[x]?.length ?? 0) - 1);
    columns[x]?.[y]?.focus();
  }
}

function column(stage, items) {
  const due = (item) => item.next_due_at ?? item.closed_at ?? item.opened_at;
  const sorted = [...items].sort((one, other) => (stage === "settled" ? -1 : 1) * due(one).localeCompare(due(other)));
  const name = `stage-${stage}`;
  return h("section", { class: "stage", "data-stage": stage, "aria-labelledby": name },
    h("h2", { id: name }, stageName(stage), " ", h("span", { class: "muted number" }, String(items.length))),
    sorted.length ? h("ul", {}, sorted.map(card)) : h("p", { class: "muted small" }, t("complaint.board.empty")));
}

function card(item) {
  const raised = item.deadlines.filter((clock) => clock.missed_at && clock.step).length;
  const running = item.deadlines.filter((clock) => clock.state === "open" && !clock.ended_at);
  const next = running.find((clock) => clock.due_at === item.next_due_at);
  const tone = { major: "bad", serious: "warn" }[item.severity] ?? "busy";
  return h("li", {}, h("a", { class: "complaint", href: `/supervisor/complaints/${item.id}`, "data-focus": item.id, "data-complaint": item.id, "data-severity": item.severity },
    h("span", { class: "line" }, h("span", { class: "tag", "data-tone": tone }, t(`complaint.severity.${item.severity}`)),
      h("span", { class: "small muted" }, t(`complaint.category.${item.category ?? "other"}`))),
    h("span", { class: "excerpt" }, data(item.text)),
    h("span", { class: "small muted" }, t("complaint.card.case", { case: "" }).trim(), " ", data(item.case_id), item.former_agent && [" · ", data(item.former_agent)]),
    next ? countdown(next.due_at, next.warn_at) : item.state === "open" && item.answer_due_at ? countdown(item.answer_due_at) : h("span", { class: "small muted" }, moment(item.closed_at ?? item.opened_at)),
    raised > 0 && h("span", { class: "tag", "data-tone": "bad" }, t("complaint.card.escalated", { count: raised }))));
}

customElements.define("complaint-board", ComplaintBoard);

const board = document.querySelector("complaint-board");
const dialog = document.querySelector("complaint-dialog");
const inAddress = () => /^\/supervisor\/complaints\/([^/]+)$/.exec(location.pathname)?.[1] ?? null;

async function route() {
  const complaintId = inAddress();
  if (complaintId) await dialog.show(decodeURIComponent(complaintId));
  else dialog.hide();
}

board.addEventListener("click", (event) => {
  const link = event.target.closest("a.complaint");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  route();
});
dialog.addEventListener("left", () => {
  const complaintId = inAddress();
  if (complaintId) history.pushState(null, "", "/supervisor/complaints");
  board.querySelector(`[data-focus="${CSS.escape(complaintId ?? "")}"]`)?.focus();
});
dialog.addEventListener("changed", () => board.load());
window.addEventListener("popstate", route);

const reader = await open();
if (reader) {
  dialog.reader = reader;
  const stream = ownStream(reader.name);
  stream.addEventListener("message", ({ detail }) => {
    if (!/^(complaint|deadline)\./.test(detail.kind)) return;
    board.soon();
    dialog.soon(detail.data.complaint_id);
  });
  stream.addEventListener("resync", () => board.soon());
  stream.start();
  await board.start();
  await route();
}
