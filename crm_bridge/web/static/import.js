// Cases in from a client's file: send it, say what its columns are, see what is wrong, try it, import it, confirm it.

import { explain } from "./api.js";
import { countdown } from "./countdown.js";
import { data, fill, h } from "./dom.js";
import { exact, moment } from "./format.js";
import { icon } from "./icons.js";
import { imports, send } from "./import-api.js";
import "./import-columns.js";
import "./import-report.js";
import { currentLanguage, onLanguage, t } from "./i18n.js";
import { field, open } from "./oversight.js";

const WORKING = ["receiving", "checking", "trying", "running"];
const OVER = ["done", "failed", "canceled"];
const AGAIN = 800; // ms
const WARN_BEFORE = 15 * 60_000; // ms

class ImportPage extends HTMLElement {
  #listed = [];
  #mappings = [];
  #shown = null;
  #error = null;
  #sent = null; // share of the file that has been sent
  #despite = false;
  #client = "";
  #timer = null;
  #columns = h("import-columns");
  #report = h("import-report");
  #parts = { top: h("div"), send: h("section", { class: "card" }), list: h("section", { class: "card" }), detail: h("div", { class: "detail" }) };

  async start() {
    this.append(...Object.values(this.#parts));
    this.#columns.addEventListener("check", (event) => this.#act(() => imports.check(this.#shown.id, event.detail)));
    this.#columns.addEventListener("look", (event) => this.#act(() => imports.look(this.#shown.id, event.detail)));
    onLanguage(() => this.#draw());
    window.addEventListener("popstate", () => this.#route());
    await this.#load();
    await this.#route();
  }

  async #load() {
    try {
      const [page, kept] = await Promise.all([imports.list(), imports.mappings()]);
      this.#listed = page.items;
      this.#mappings = kept.items;
    } catch (error) {
      this.#error = error;
    }
  }

  async #route() {
    const importId = /^\/supervisor\/import\/([^/]+)$/.exec(location.pathname)?.[1];
    if (!importId) this.#shown = null;
    else if (importId !== this.#shown?.id) await this.#act(() => imports.get(importId));
    this.#draw();
  }

  #go(file) {
    const address = file ? `/supervisor/import/${encodeURIComponent(file.id)}` : "/supervisor/import";
    if (location.pathname !== address) history.pushState(null, "", address);
    this.#show(file);
  }

  #show(file) {
    if (file?.id !== this.#shown?.id) this.#despite = false;
    this.#shown = file;
    if (file) this.#listed = this.#listed.some((one) => one.id === file.id) ? this.#listed.map((one) => (one.id === file.id ? file : one)) : [file, ...this.#listed];
    clearTimeout(this.#timer);
    if (file && WORKING.includes(file.state)) this.#timer = setTimeout(() => this.#act(() => imports.get(file.id)), AGAIN);
    this.#draw();
  }

  async #act(ask) {
    const wanted = this.#shown?.id;
    try {
      const file = await ask();
      this.#error = null;
      if (wanted === undefined || wanted === this.#shown?.id) this.#show(file);
      if (!WORKING.includes(file.state)) await this.#load();
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  #draw() {
    const { top, send: sending, list, detail } = this.#parts;
    fill(top, h("header", { class: "sheet-head" }, h("h1", {}, t("oversight.imports"))),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)));
    this.#drawSend(sending);
    fill(list, h("h2", {}, t("import.listed")), this.#listed.length ? this.#list() : h("p", { class: "muted" }, t("import.none")));
    if (!this.#shown) return fill(detail);
    if (!this.#steps) this.#steps = { head: h("section", { class: "card" }), columns: h("details", { class: "card fold" }, h("summary", {}, h("h2")), this.#columns), found: h("section"), next: h("section", { class: "card" }) };
    if (!detail.contains(this.#steps.head)) fill(detail, ...Object.values(this.#steps));
    this.#drawDetail();
  }

  #steps = null;

  // ---- send

  #drawSend(place) {
    const clients = [...new Set([...this.#listed.map((one) => one.client), ...this.#mappings.map((one) => one.client)])].sort();
    const client = h("input", { type: "text", list: "import-clients", required: true, maxlength: 128, value: this.#client, "data-focus": "client", autocomplete: "off", translate: "no", on: { input: () => { this.#client = client.value; } } });
    const file = h("input", { type: "file", required: true, accept: ".csv,.txt,.xlsx,.xls", "data-focus": "file" });
    if (place.querySelector("form") && this.#sent === null && place.dataset.language === currentLanguage()) return; // a chosen file stays chosen
    place.dataset.language = currentLanguage();
    const form = h("form", { class: "form", on: { submit: (event) => this.#send(event, client, file) } },
      h("div", { class: "grid" }, field("import.client", client, "import-client"), field("import.file", file, "import-file")),
      h("datalist", { id: "import-clients" }, clients.map((name) => h("option", { value: name }))),
      h("div", { class: "row" }, h("button", { type: "submit", class: "button button-primary", "data-focus": "send" }, t("import.send")),
        h("p", { class: "muted small", role: "status" }, this.#sent === null ? t("import.hour") : t("import.sending", { share: Math.round(this.#sent * 100) }))));
    fill(place, h("h2", {}, t("import.new")), form);
  }

  async #send(event, client, file) {
    event.preventDefault();
    if (this.#sent !== null || !file.files.length) return;
    const status = this.#parts.send.querySelector("[role=status]");
    this.#sent = 0;
    try {
      const found = await send(client.value.trim(), file.files[0], (share) => { status.textContent = t("import.sending", { share: Math.round(share * 100) }); });
      this.#error = null;
      this.#go(found);
    } catch (error) {
      this.#error = error;
    }
    this.#sent = null;
    if (!this.#error) this.#parts.send.replaceChildren(); // the file was taken: an empty form for the next one
    else status.textContent = t("import.hour");
    this.#draw();
  }

  #list() {
    const head = ["file", "client", "uploaded", "state", "confirm"].map((key) => h("th", { scope: "col" }, t(`import.head.${key}`)));
    return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("import.listed") },
      h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, this.#listed.map((one) => this.#line(one)))));
  }

  #line(one) {
    const follow = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.#go(one);
      this.#act(() => imports.get(one.id));
    };
    return h("tr", { "data-import": one.id },
      h("td", {}, h("a", { href: `/supervisor/import/${one.id}`, "data-focus": `open-${one.id}`, "aria-current": one.id === this.#shown?.id ? "true" : null, on: { click: follow } }, data(one.file_name))),
      h("td", {}, data(one.client)),
      h("td", { class: "brief" }, h("time", { datetime: one.uploaded_at, title: exact(one.uploaded_at) }, moment(one.uploaded_at)), " ", data(one.uploaded_by, { class: "muted" })),
      h("td", {}, stateTag(one)), h("td", { class: "brief" }, clockOf(one)));
  }

  // ---- one import

  #drawDetail() {
    const file = this.#shown;
    const { head, columns, found, next } = this.#steps;
    fill(head, h("div", { class: "card-head" }, h("h2", {}, data(file.file_name)), stateTag(file), clockOf(file)), this.#facts(file), WORKING.includes(file.state) && progress(file));
    const editable = ["uploaded", "checked"].includes(file.state) && !file.emptied;
    columns.hidden = !editable;
    if (editable) {
      const looked = `${file.id} ${file.state} ${file.counts.rows}`;
      if (columns.dataset.looked !== looked) columns.open = file.state === "uploaded" || !file.counts.rows;
      columns.dataset.looked = looked; // folded once it has served; from then on as its reader likes
      columns.querySelector("h2").textContent = t("import.columns");
      this.#columns.show(file, this.#mappings.filter((one) => one.client === file.client));
    }
    const hasRows = Boolean(file.counts.rows) || file.problems.length > 0;
    found.hidden = !hasRows;
    if (hasRows) {
      if (!found.contains(this.#report)) fill(found, this.#report);
      this.#report.show(file);
    }
    fill(next, h("h2", {}, t("import.next")), this.#next(file));
    next.hidden = WORKING.includes(file.state) && file.state !== "running";
  }

  #facts(file) {
    const fact = (key, value) => value && h("div", {}, h("dt", {}, t(`import.fact.${key}`)), h("dd", {}, value));
    return h("dl", { class: "facts" }, fact("client", data(file.client)), fact("sha256", data(file.sha256, { class: "small hash" })),
      fact("run_by", file.run_by && data(file.run_by)), fact("special", file.special && data(file.special)),
      fact("confirmed", file.confirmed_at && [h("time", { datetime: file.confirmed_at }, moment(file.confirmed_at)), " ", data(file.confirmed_to)]));
  }

  #next(file) {
    const button = (key, act, more = {}) => h("button", { type: "button", class: "button", "data-focus": key, on: { click: act }, ...more }, t(`import.${key}`));
    const steps = [];
    if (file.state === "checked" && file.counts.ready) {
      const bad = file.counts.bad ?? 0;
      const box = h("input", { type: "checkbox", checked: this.#despite, "data-focus": "despite", on: { change: () => { this.#despite = box.checked; this.#draw(); } } });
      const ready = !bad || this.#despite;
      steps.push(h("div", { class: "row" }, button("try", () => this.#act(() => imports.run(file.id, { dry_run: true }))),
        button("run", () => ready && this.#act(() => imports.run(file.id, { despite_problems: this.#despite })), { class: "button button-primary", "aria-disabled": String(!ready) }),
        bad > 0 && h("label", { class: "check" }, box, t("import.despite", { count: bad }))));
      if (file.tried) steps.push(this.#tried(file.tried));
    }
    if (OVER.includes(file.state)) steps.push(this.#papers(file));
    if (file.state === "failed") steps.push(h("p", { class: "muted" }, t("import.failed")));
    if (OVER.includes(file.state) && !file.confirmed_at) steps.push(this.#reason("confirm", "confirm_to", (to) => imports.confirm(file.id, to)));
    if (!OVER.includes(file.state)) {
      if (!file.special) steps.push(h("details", { class: "more" }, h("summary", {}, t("import.extend")), this.#reason("extend", "reason", (why) => imports.extend(file.id, why))));
      steps.push(h("details", { class: "more" }, h("summary", {}, t("import.cancel")), this.#reason("cancel", "reason", (why) => imports.cancel(file.id, why))));
    }
    return h("div", { class: "form" }, steps);
  }

  #tried({ counts, examples }) {
    const told = Object.entries(counts).map(([name, count]) => h("li", {}, t(`import.would.${name}`, { count })));
    const lines = examples.map((one) => h("li", {}, data(one.case_id), " ", h("span", { class: "tag" }, t(`import.outcome.${one.outcome}`)), " ",
      data([...one.changed, ...one.problems.map((problem) => (currentLanguage() === "zh" ? problem.what_zh : problem.what))].join(", "), { class: "muted small" })));
    return h("div", { class: "found", role: "status", id: "tried" }, h("p", { class: "notice notice-good" }, icon("check"), t("import.tried")), h("ul", {}, told), lines.length > 0 && h("details", {}, h("summary", {}, t("import.examples")), h("ul", {}, lines)));
  }

  #papers(file) {
    return h("div", { class: "row" }, ["xlsx", "csv"].map((format) =>
      h("a", { class: "button", "data-paper": format, href: imports.paper(file.id, "confirmation", { format, language: currentLanguage() }), download: "" }, t("import.confirmation_as", { format: format.toUpperCase() }))));
  }

  #reason(key, label, act) {
    const input = h("input", { type: "text", required: true, maxlength: 255, "data-focus": `${key}-text` });
    return h("form", { class: "row reason", on: { submit: (event) => { event.preventDefault(); if (input.value.trim()) this.#act(() => act(input.value.trim())); } } },
      field(`import.${label}`, input, `import-${key}`), h("button", { type: "submit", class: "button", "data-focus": `${key}-do` }, t(`import.do_${key}`)));
  }
}

function stateTag(file) {
  const tone = { done: "good", failed: "bad", canceled: "", running: "busy", checking: "busy", trying: "busy" }[file.state] ?? "warn";
  return h("span", { class: "tag", "data-tone": tone, "data-state-of": file.state }, t(`import.state.${file.state}`));
}

function clockOf(file) {
  if (file.confirmed_at) return h("span", { class: "tag", "data-tone": file.confirmed_at <= file.deadline_at ? "good" : "bad" }, t("import.confirmed"));
  if (file.state === "canceled" && !file.counts.created) return null;
  return countdown(file.deadline_at, new Date(Date.parse(file.deadline_at) - WARN_BEFORE).toISOString());
}

function progress(file) {
  const last = file.counts.last_row ?? 0;
  const known = file.state !== "checking" && last > 0;
  const text = known ? t("import.progress", { position: file.position, last }) : t("import.progress_unknown", { position: file.position });
  return h("div", { class: "progress" }, h("progress", known ? { max: last, value: file.position, "aria-label": text } : { "aria-label": text }), h("p", { class: "muted small", role: "status" }, text));
}

customElements.define("import-page", ImportPage);
const reader = await open();
if (reader) await document.querySelector("import-page").start();
