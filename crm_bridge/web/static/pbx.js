// The phone systems: how each is, checking it now, what applying would change, and applying it with chosen phones.

import { explain } from "./api.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";
import { field, open } from "./oversight.js";
import { pbxs } from "./pbx-api.js";
import { changes, endpointTable, facts, findings, progress } from "./pbx-parts.js";

const REFRESH = 10_000; // ms
const POLL = 500; // ms, while a check runs

class PbxCard extends HTMLElement {
  #pbx;
  #phones = null;
  #plan = null; // for exactly the chosen phones
  #chosen = { phones: new Set(), trunks: new Set() };
  #reason = "";
  #working = null; // check | plan | apply
  #error = null;
  #said = null;
  #parts = { facts: h("div"), notices: h("div", { class: "notices" }), check: h("section"), change: h("section"), phones: h("section"), trunks: h("section") };

  start(pbx) {
    this.#pbx = pbx;
    this.classList.add("card");
    this.append(h("h2", { translate: "no" }, pbx.name), ...Object.values(this.#parts));
    onLanguage(() => this.#draw());
    this.#draw();
    this.#loadPhones();
  }

  update(pbx) {
    const came = pbx.link.state === "up" && !this.#phones;
    this.#pbx = pbx;
    this.#drawState();
    if (came) this.#loadPhones();
  }

  #draw() {
    this.#drawState();
    this.#drawChange();
    this.#drawPhones();
  }

  #drawState() {
    const { check } = this.#pbx;
    const runs = this.#working === "check" || (check && !check.finished_at);
    fill(this.#parts.facts, facts(this.#pbx));
    fill(this.#parts.notices,
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      this.#said && h("p", { class: "notice notice-good", role: "status" }, icon("check"), this.#said()));
    fill(this.#parts.check, h("div", { class: "card-head" }, h("h3", {}, t("pbx.check")),
      this.#button("check", "pbx.check_now", runs, () => this.#check())),
      h("div", { class: "inset" }, runs ? progress(check?.finished_at ? null : check) : check ? findings(check) : h("p", { class: "muted" }, t("pbx.not_checked"))));
  }

  #button(name, key, off, act, primary = false) {
    return h("button", { type: "button", class: primary ? "button button-primary" : "button", "data-act": name, "data-focus": name, "aria-disabled": String(Boolean(off)), on: { click: () => !off && act() } }, t(key));
  }

  #drawChange() {
    const busy = this.#working !== null;
    const reason = h("input", { type: "text", maxlength: 2000, value: this.#reason, "data-focus": "reason", autocomplete: "off", on: { input: (event) => { this.#reason = event.target.value; event.target.removeAttribute("aria-invalid"); } } });
    const idle = this.#plan?.nothing_to_do;
    fill(this.#parts.change, h("div", { class: "card-head" }, h("h3", {}, t("pbx.change")), this.#button("plan", "pbx.show_plan", busy, () => this.#showPlan())),
      h("div", { class: "inset", role: "status" }, this.#working === "apply" ? h("p", {}, t("pbx.applying")) : this.#plan ? changes(this.#plan) : h("p", { class: "muted" }, t("pbx.plan_first"))),
      this.#plan && !idle && h("div", { class: "form" }, field("pbx.reason", reason, `reason-${this.#pbx.name}`),
        h("p", { class: "row" }, this.#button("apply", "pbx.apply", busy, () => this.#apply(), true))));
  }

  #drawPhones() {
    this.#drawEndpoints("phones", "pbx.phones", "pbx.phones_hint", this.#phones?.items);
    this.#drawEndpoints("trunks", "pbx.inbound", "pbx.inbound_hint", this.#phones?.trunks);
  }

  #drawEndpoints(kind, title, hint, endpoints) {
    const others = (endpoints ?? []).filter((one) => !one.ours);
    fill(this.#parts[kind], h("div", { class: "card-head" }, h("h3", {}, t(title)),
      others.length > 0 && h("button", { type: "button", class: "button button-small", "data-focus": `all-${kind}`, on: { click: () => this.#choose(kind, others) } }, t("pbx.choose_all"))),
      endpoints ? [h("p", { class: "muted small inset" }, t(hint)), endpointTable(kind, endpoints, this.#chosen[kind], (name, on) => this.#toggle(kind, name, on))] : h("p", { class: "muted inset" }, t("pbx.phones_unknown")));
  }

  #choose(kind, endpoints) {
    this.#chosen[kind] = new Set(endpoints.map((one) => one.name));
    this.#outdated();
    this.#drawPhones();
  }

  #toggle(kind, name, on) {
    if (on) this.#chosen[kind].add(name);
    else this.#chosen[kind].delete(name);
    this.#outdated();
  }

  #outdated() {
    this.#plan = this.#said = null;
    this.#drawState();
    this.#drawChange();
  }

  async #loadPhones() {
    try {
      this.#phones = await pbxs.phones(this.#pbx.name);
    } catch {
      this.#phones = null; // the link's state says why
    }
    this.#drawPhones();
  }

  async #work(name, act) {
    this.#working = name;
    this.#error = this.#said = null;
    this.#draw();
    try {
      await act();
    } catch (error) {
      this.#error = error;
    }
    this.#working = null;
    this.#draw();
  }

  async #check() {
    const polling = setInterval(async () => {
      const now = await pbxs.get(this.#pbx.name).catch(() => null);
      if (now && this.#working === "check") this.update(now);
    }, POLL);
    await this.#work("check", async () => {
      try {
        await pbxs.check(this.#pbx.name);
      } finally {
        clearInterval(polling);
        this.#pbx = await pbxs.get(this.#pbx.name);
      }
    });
  }

  #showPlan() {
    return this.#work("plan", async () => {
      this.#plan = await pbxs.plan(this.#pbx.name, [...this.#chosen.phones], [...this.#chosen.trunks]);
    });
  }

  async #apply() {
    const reason = this.#reason.trim();
    if (!reason) {
      const input = this.querySelector(`#reason-${CSS.escape(this.#pbx.name)}`);
      input.setAttribute("aria-invalid", "true");
      return input.focus();
    }
    await this.#work("apply", async () => {
      const done = await pbxs.apply(this.#pbx.name, reason, [...this.#chosen.phones], [...this.#chosen.trunks]);
      for (const chosen of Object.values(this.#chosen)) chosen.clear();
      this.#plan = null;
      this.#reason = "";
      this.#said = () => [t("pbx.applied", { count: done.changes.length }), ...done.notes].join(" ");
      await this.#loadPhones();
    });
  }
}

class PbxPage extends HTMLElement {
  #cards = new Map();

  async start(reader) {
    const top = h("div");
    this.append(top);
    const head = (note) => fill(top, h("header", { class: "sheet-head" }, h("h1", {}, t("oversight.pbx"))), note && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), note()));
    let note = reader.role === "admin" ? null : () => t("pbx.admins_only");
    onLanguage(() => head(note));
    head(note);
    if (note) return;
    const load = async () => {
      try {
        const { items } = await pbxs.list();
        note = items.length ? null : () => t("pbx.none");
        for (const pbx of items) this.#show(pbx);
      } catch (error) {
        note = () => explain(error);
      }
      head(note);
    };
    await load();
    setInterval(load, REFRESH);
  }

  #show(pbx) {
    const known = this.#cards.get(pbx.name);
    if (known) return known.update(pbx);
    const card = document.createElement("pbx-card");
    this.#cards.set(pbx.name, card);
    this.append(card);
    card.start(pbx);
  }
}

customElements.define("pbx-card", PbxCard);
customElements.define("pbx-page", PbxPage);
const reader = await open();
if (reader) await document.querySelector("pbx-page").start(reader);
