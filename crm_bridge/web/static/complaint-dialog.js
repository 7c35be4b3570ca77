// One complaint in full: its clocks, the pinned second of the call, what to do next, and the whole trail.

import { calls, cases, explain, Problem } from "./api.js";
import { complaints } from "./clocks-api.js";
import { complaintForms } from "./complaint-forms.js";
import { countdown } from "./countdown.js";
import { data, fill, h } from "./dom.js";
import { duration, exact, moment, phoneNumber } from "./format.js";
import { icon } from "./icons.js";
import { currentLanguage, knows, onLanguage, t } from "./i18n.js";

const named = (stage) => (knows(`complaint.stage.${stage}`) ? t(`complaint.stage.${stage}`) : stage);

class ComplaintDialog extends HTMLElement {
  #id = null;
  #item = null;
  #error = null;
  #told = null;
  #people = [];
  #box = null;
  #parts = null;
  #kind = null;

  connectedCallback() {
    this.#box = h("dialog", { class: "complaint-box", "aria-labelledby": "complaint-title" });
    this.#box.addEventListener("close", () => this.#left());
    this.append(this.#box);
    onLanguage(() => this.#box.open && this.#build());
  }

  async show(complaintId) {
    this.#id = complaintId;
    this.#item = this.#error = this.#told = this.#kind = null;
    this.#people = [];
    this.#build();
    if (!this.#box.open) this.#box.showModal();
    await this.#load();
    await this.#findPeople();
  }

  hide() {
    if (this.#box.open) this.#box.close();
  }

  /** Something happened: fetch again, if it is about the complaint that is shown. */
  soon(complaintId) {
    if (this.#box.open && complaintId === this.#id) this.#load();
  }

  #left() {
    this.#box.querySelector("audio")?.pause();
    this.dispatchEvent(new CustomEvent("left"));
    this.#id = null;
  }

  async #load() {
    const wanted = this.#id;
    try {
      const found = await complaints.get(wanted);
      if (wanted !== this.#id) return;
      this.#item = found;
      this.#error = null;
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  async #findPeople() {
    if (!this.#item || this.reader?.role === "qa") return;
    try {
      const found = await cases.get(this.#item.case_id);
      this.#people = found.parties.filter((party) => party.id === this.#item.party_id || party.relation === "debtor");
      this.#draw();
    } catch {
      this.#people = []; // the case is not this reader's to see: nobody to ring from here
    }
  }

  /** The frame and its parts, once: what is typed or plays in one part outlives a change in another. */
  #build() {
    const parts = (this.#parts = Object.fromEntries(["head", "about", "sound", "ring", "forms", "clocks", "trail"].map((name) => [name, h("div", { class: `part part-${name}` })])));
    this.#kind = null;
    fill(this.#box,
      h("button", { type: "button", class: "button button-quiet box-close", "aria-label": t("complaint.dialog.close"), on: { click: () => this.#box.close() } }, "✕"),
      parts.head,
      h("div", { class: "box-columns" },
        h("div", {}, parts.about, parts.sound, parts.ring, parts.forms),
        h("div", {}, parts.clocks, parts.trail)));
    this.#draw();
  }

  #draw() {
    const item = this.#item;
    fill(this.#parts.head, item ? this.#head(item) : h("h2", { id: "complaint-title" }, t("complaint.board.title")),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), h("span", {}, explain(this.#error))),
      this.#told && h("p", { class: `notice notice-${this.#told.tone}`, role: "status" }, h("span", {}, this.#told.text())));
    if (!item) return;
    fill(this.#parts.about, this.#about(item));
    fill(this.#parts.ring, this.#ring(item));
    fill(this.#parts.clocks, h("h3", {}, t("complaint.dialog.clocks")), h("ul", { class: "clocks" }, item.deadlines.map(clockRow)));
    fill(this.#parts.trail, h("h3", {}, t("complaint.dialog.trail")), h("ol", { class: "trail" }, [...item.trail].reverse().map(trailRow)));
    this.#drawOnce(item);
  }

  /** The player and the forms are made anew only when what they are for has changed. */
  #drawOnce(item) {
    if (item.call_id && !this.#parts.sound.childElementCount) fill(this.#parts.sound, sound(item));
    const kind = `${item.state} ${item.stage} ${item.instructed}`;
    if (kind === this.#kind) return;
    this.#kind = kind;
    fill(this.#parts.forms, complaintForms(item, this.reader, (verb, body) => this.#decide(verb, body)));
  }

  async #decide(verb, body) {
    try {
      this.#item = { ...this.#item, ...(await complaints.decide(this.#id, verb, { ...body, revision: this.#item.revision })) };
      this.#told = this.#error = null;
      this.#kind = null;
    } catch (error) {
      if (!(error instanceof Problem && error.members.by)) throw error;
      const { by, what, at } = error.members;
      this.#told = { tone: "warn", text: () => t("complaint.overtaken", { name: by, what: knows(`complaint.what.${what}`) ? t(`complaint.what.${what}`) : what, when: moment(at) }) };
      await this.#load();
      return;
    }
    this.#draw();
    this.dispatchEvent(new CustomEvent("changed"));
  }

  #head(item) {
    const running = item.deadlines.find((clock) => clock.state === "open" && clock.due_at === item.next_due_at);
    const tone = { major: "bad", serious: "warn" }[item.severity] ?? "busy";
    return h("div", { class: "line" },
      h("h2", { id: "complaint-title" }, t("complaint.card.case", { case: "" }).trim(), " ", data(item.case_id)),
      h("span", { class: "tag", "data-tone": tone }, t(`complaint.severity.${item.severity}`)),
      h("span", { class: "tag" }, named(item.stage)),
      running && countdown(running.due_at, running.warn_at),
      item.justified !== null && h("span", { class: "tag" }, t(item.justified ? "complaint.ruled.yes" : "complaint.ruled.no")));
  }

  #about(item) {
    return [
      h("p", { class: "said" }, data(item.text)),
      h("p", { class: "small muted" }, t("complaint.dialog.opened", { name: item.opened_by, when: moment(item.opened_at) }), " · ", t(`complaint.category.${item.category ?? "other"}`),
        item.former_agent && [" · ", t("complaint.card.about", { name: item.former_agent })]),
      !item.instructed && h("p", { class: "small muted" }, t("complaint.card.stopped", { count: item.cases_stopped })),
      item.ruling && h("p", { class: "said" }, data(item.ruling)),
    ];
  }

  #ring(item) {
    const heard = item.heard.at(-1);
    const called = item.called.at(-1);
    const told = [
      item.call_id && h("li", {}, heard ? t("complaint.dialog.heard", { name: heard.by, when: moment(heard.at) }) : t("complaint.dialog.not_heard")),
      h("li", {}, called ? t("complaint.dialog.called", { name: called.by, when: moment(called.at) }) : t("complaint.dialog.not_called")),
    ];
    const numbers = this.reader?.role === "supervisor" && this.reader.extension && !item.instructed ? this.#people.flatMap((party) => party.numbers.map((number) => [party, number])) : [];
    return [
      h("ul", { class: "small muted" }, told),
      h("div", { class: "line" }, numbers.slice(0, 4).map(([party, number]) =>
        h("button", { type: "button", class: "button button-small", "data-focus": number.e164, on: { click: () => this.#call(party, number) } }, icon("phone"), data(party.name), " ", data(phoneNumber(number.e164), { class: "number" }))),
      h("a", { href: `/cases/${encodeURIComponent(item.case_id)}` }, t("complaint.dialog.case"))),
    ];
  }

  async #call(party, number) {
    try {
      await calls.place({ case_id: this.#item.case_id, party_id: party.id, number: number.e164, purpose: "complaint" }, crypto.randomUUID());
      this.#told = { tone: "good", text: () => t("complaint.dialog.ringing") };
    } catch (error) {
      this.#told = { tone: "bad", text: () => explain(error) };
    }
    this.#draw();
  }
}

/** The recording of the call, to be heard from the second that was pinned. */
function sound(item) {
  const reason = new URLSearchParams({ format: "mp3", reason: `complaint ${item.id}` });
  const source = `/v1/calls/${item.call_id}/audio?${reason}`;
  const audio = h("audio", { controls: true, preload: "none", "aria-label": t("complaint.dialog.audio") });
  const second = item.at_second ?? 0;
  const told = h("p", { class: "notice notice-bad", role: "alert", hidden: true }, t("complaint.dialog.no_audio"));
  audio.addEventListener("error", () => (told.hidden = false));
  const play = () => {
    told.hidden = true;
    if (!audio.src) audio.src = source;
    const from = () => {
      audio.currentTime = second;
      audio.play().catch(() => (told.hidden = false));
    };
    if (audio.readyState >= 1) from();
    else {
      audio.addEventListener("loadedmetadata", from, { once: true });
      audio.load();
    }
  };
  return [
    h("div", { class: "line" },
      h("button", { type: "button", class: "button button-small", "data-focus": "listen", on: { click: play } }, icon("play"), t("complaint.dialog.listen", { second: duration(second) })),
      h("a", { href: `/qa/calls/${item.call_id}?t=${second}` }, t("complaint.dialog.replay"))),
    audio, told,
  ];
}

function clockRow(clock) {
  const name = clock.kind === "complaint-step" || clock.step === "answer" ? named(clock.step) : t(`clock.${clock.kind}`);
  const state = clock.state === "missed" && clock.ended_at ? "late" : clock.state;
  const tone = { met: "good", missed: "bad", late: "warn" }[state];
  const running = clock.state === "open";
  return h("li", { class: "line" }, h("span", {}, name),
    running ? countdown(clock.due_at, clock.warn_at) : h("span", { class: "tag", "data-tone": tone }, t(`clock.state.${state}`)),
    h("time", { class: "small muted", datetime: clock.due_at, title: exact(clock.due_at) }, moment(clock.due_at), clock.unit === "working_minutes" ? ` (${t("deadlines.working")})` : ""),
    clock.owner && h("span", { class: "small muted" }, data(clock.owner)));
}

function trailRow(line) {
  const details = line.details ?? {};
  const who = line.by === "system" ? t("complaint.trail.system") : null;
  const instructed = line.what === "instructed" && (details.resume ? (details.assign_to ? t("complaint.trail.resumed", { name: details.assign_to }) : t("complaint.trail.resumes")) : t("complaint.trail.stays"));
  return h("li", { class: line.undone_at ? "undone" : null, "data-what": line.what },
    h("p", { class: "small" }, h("time", { class: "muted", datetime: line.at, title: exact(line.at) }, moment(line.at)), " ", who ? h("strong", {}, who) : data(line.by, { class: "by" }), " ",
      t(`complaint.what.${line.what}`), line.step && ` (${named(line.step)})`, line.undone_at && h("span", { class: "tag" }, t("complaint.trail.undone"))),
    instructed && h("p", {}, instructed),
    details.told?.length > 0 && h("p", { class: "small muted" }, t("complaint.trail.told", { names: details.told.join(", ") })),
    line.text && h("p", { class: "said" }, data(currentLanguage() === "zh" && details.note_zh ? details.note_zh : line.text)));
}

customElements.define("complaint-dialog", ComplaintDialog);
