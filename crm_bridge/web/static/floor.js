// The supervisor's floor: everybody's state, call, what is late and what was done today, told by the stream.

import { explain, serviceNow } from "./api.js";
import { countdown } from "./countdown.js";
import { data, fill, h } from "./dom.js";
import { duration, exact, phoneNumber } from "./format.js";
import { icon } from "./icons.js";
import { knows, onLanguage, t } from "./i18n.js";
import { banner, dropBanner, open } from "./oversight.js";
import { ownStream } from "./own-stream.js";
import { floor } from "./supervisor-api.js";

const REFRESH = 15_000; // ms, beside what the stream tells
const AGAIN = 300; // ms; several events of one change are one reload
const TONES = { ready: "good", busy: "busy", wrap_up: "warn" };
const LISTENERS = ["supervisor", "admin"];
const CHANGES = /^(agent|call|deadline|complaint)\./;

class FloorView extends HTMLElement {
  #items = null;
  #error = null;
  #again = null;
  #opened = new Set();
  #refused = null;
  #reader = null;

  async start(reader) {
    this.#reader = reader;
    onLanguage(() => this.#draw());
    await this.load();
    setInterval(() => this.load(), REFRESH);
    setInterval(() => this.#tick(), 1_000);
  }

  soon() {
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.load(), AGAIN);
  }

  async load() {
    try {
      this.#items = await floor.all();
      this.#error = null;
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  #draw() {
    const items = this.#items ?? [];
    const heads = ["name", "state", "call", "late", "calls", "conversations", "talked"];
    fill(this,
      h("header", { class: "sheet-head" }, h("h1", {}, t("floor.title")),
        this.#items && h("p", { class: "muted", role: "status" }, t("floor.count", {
          people: items.length, talking: items.filter((one) => one.call).length, late: items.filter((one) => one.late_count).length,
        }))),
      [this.#error, this.#refused].map((one) => one && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(one))),
      this.#items?.length === 0 ? h("p", { class: "muted" }, t("floor.none")) :
        h("div", { class: "card scroll", tabindex: "0", role: "group", "aria-label": t("floor.title") },
          h("table", { class: "floor" },
            h("thead", {}, h("tr", {}, heads.map((name) => h("th", { scope: "col", class: ["calls", "conversations", "talked"].includes(name) ? "number" : null }, t(`floor.column.${name}`))))),
            h("tbody", {}, items.map((item) => this.#row(item))))));
    this.#tick();
  }

  #row(item) {
    const call = item.call;
    const state = call ? "on_call" : item.state;
    return h("tr", { "data-agent": item.name },
      h("th", { scope: "row" }, data(item.name), h("p", { class: "small muted" }, data([item.extension, item.team].filter(Boolean).join(" · ")))),
      h("td", { class: "brief" }, h("span", { class: "tag", "data-tone": TONES[item.state] }, t(`agent.state.${state}`)), " ", since(item.since)),
      h("td", {}, call && this.#call(call), call && this.#listening(item.name, call)),
      h("td", {}, this.#late(item)),
      h("td", { class: "number" }, t("floor.attempts", { attempts: item.today.attempts, calls: item.today.calls })),
      h("td", { class: "number" }, String(item.today.conversations)),
      h("td", { class: "number" }, duration(item.today.talk_seconds)));
  }

  #call(call) {
    const held = call.held_at !== null;
    const stage = held ? "held" : knows(`floor.call.${call.state}`) ? call.state : "connected";
    return h("div", {},
      h("p", {}, data(call.party ?? ""), " ", h("span", { class: "number small muted", translate: "no" }, phoneNumber(call.number)), " ",
        call.case_id && h("a", { href: `/cases/${encodeURIComponent(call.case_id)}` }, data(call.case_id))),
      h("p", { class: "small line" }, h("span", { class: "tag", "data-tone": held ? "warn" : "busy" }, t(`floor.call.${stage}`)), since(held ? call.held_at : call.connected_at)));
  }

  #listening(name, call) {
    const mine = call.listeners.find((one) => one.listener === this.#reader.name);
    const others = call.listeners.filter((one) => one !== mine).map((one) => one.listener);
    const stage = mine && (mine.hears ? mine.mode : "calling");
    const button = (key, label, act) => h("button", { type: "button", class: "button button-small", "aria-label": t(label, { name }), "data-focus": `${key}-${name}`, on: { click: () => this.#ask(act) } }, t(`floor.${key}`));
    const modes = ["listen", "whisper"].filter((mode) => !mine || (mine.hears && mode !== mine.mode));
    const may = LISTENERS.includes(this.#reader.role) && name !== this.#reader.name && ["connected", "held"].includes(call.state);
    return [
      may && h("p", { class: "row" }, mine && h("span", { class: "tag", "data-tone": "busy", role: "status" }, t(`floor.listening.${stage}`)),
        modes.map((mode) => button(mode, `floor.${mode}_to`, () => floor.listen(call.id, mode))), mine && button("leave", "floor.leave_of", () => floor.leave(call.id))),
      others.length > 0 && h("p", { class: "small muted" }, t("floor.listeners"), " ", data(others.join(", "))),
    ];
  }

  async #ask(act) {
    this.#refused = null;
    try {
      await act();
    } catch (error) {
      this.#refused = error;
    }
    await this.load();
  }

  #late(item) {
    if (!item.late_count) return null;
    const toggled = (event) => (event.target.open ? this.#opened.add(item.name) : this.#opened.delete(item.name));
    return h("details", { open: this.#opened.has(item.name), on: { toggle: toggled } },
      h("summary", { "data-focus": `late-${item.name}` }, t("floor.late", { count: item.late_count })),
      h("ul", {}, item.late.map((one) => h("li", { class: "line" },
        one.complaint_id ? h("a", { href: `/supervisor/complaints/${one.complaint_id}` }, kindName(one)) : h("span", {}, kindName(one)),
        one.case_id && h("a", { href: `/cases/${encodeURIComponent(one.case_id)}` }, data(one.case_id)), countdown(one.due_at)))));
  }

  #tick() {
    for (const element of this.querySelectorAll("[data-since]")) {
      const text = duration(Math.max(0, serviceNow() - Date.parse(element.dataset.since)) / 1_000);
      if (element.textContent !== text) element.textContent = text;
    }
  }
}

const since = (moment) => (moment ? h("time", { class: "elapsed small muted", datetime: moment, title: exact(moment), "data-since": moment }) : null);
const kindName = (item) => (knows(`clock.${item.kind}`) ? t(`clock.${item.kind}`) : item.kind);

customElements.define("floor-view", FloorView);

const view = document.querySelector("floor-view");
const reader = await open();
if (reader) {
  const stream = ownStream(reader.name);
  stream.addEventListener("message", ({ detail }) => CHANGES.test(detail.kind) && view.soon());
  stream.addEventListener("resync", () => view.soon());
  stream.addEventListener("state", ({ detail }) => (detail === "lost" ? banner("stream", () => t("floor.stream_lost"), "warn") : dropBanner("stream")));
  stream.start();
  await view.start(reader);
}
