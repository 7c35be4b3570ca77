// What a page of another origin does: `CallBridge.init(...)` once, then dial, hang up and so on; `on(event, fn)` tells what happens.

import { Problem, calls, cases, explain, session } from "../api.js";
import { isLive, isMine, supersedes } from "../call-model.js";
import { agents } from "../desk-people-api.js";
import { intention, place } from "../dialing.js";
import { speak, t } from "../i18n.js";
import { Connection } from "./connection.js";
import { SharedStream } from "./shared-stream.js";

const ABOUT_NUMBERS = /^(case\.(suspended|resumed|updated|state)|complaint\.(opened|closed|instructed|undone|reopened)|call\.(created|ended)|party\.(flagged|agreed)|number\.marked|contact\.recorded|override\.granted|policy\.changed)$/;

/** The one object of a page: `window.CallBridge`. */
export class Bridge extends EventTarget {
  agent = null; // {name, role, extension, language, ...}
  call = null;
  trouble = null; // why nothing works: a function that gives the words
  cutOff = false; // whether the live stream is lost for now
  #connection = null;
  #stream = null;
  #starting = null;
  #spreading = false;
  #bars = new Set();
  #cases = new Map();
  #texts;

  constructor(texts) {
    super();
    this.#texts = texts;
  }

  /** `{url, token | tokenProvider, language?}`. Resolves to who calls; rejects with the reason. A second call renews what is given. */
  init(options) {
    this.#stream?.stop();
    this.#starting = this.#begin(options);
    return this.#starting;
  }

  /** Resolves when `init` has; elements may stand in the page before. */
  async ready() {
    if (!this.#starting) await new Promise((resolve) => this.addEventListener("starting", resolve, { once: true }));
    return this.#starting;
  }

  async #begin({ url, token, tokenProvider, language, embeddedIn }) {
    speak(language ?? document.documentElement.lang.split("-")[0], this.#texts);
    const connection = (this.#connection = new Connection({ url: String(url ?? "").replace(/\/$/, ""), token, tokenProvider, embeddedIn }));
    queueMicrotask(() => this.dispatchEvent(new CustomEvent("starting")));
    connection.addEventListener("token-expired", ({ detail }) => this.#tell("token-expired", { code: detail?.code, detail: detail?.message }));
    connection.addEventListener("token", ({ detail: good }) => this.#inTrouble(good ? null : () => t("embed.signed_out")));
    try {
      await connection.ready();
      this.agent = await session.get();
    } catch (error) {
      throw await this.#failed(error, connection);
    }
    this.#inTrouble(null);
    if (!language) speak(this.agent.language, {});
    this.#listen(connection);
    this.#tell("ready", this.agent);
    return this.agent;
  }

  async #failed(error, connection) {
    const hidden = !(error instanceof Problem) && !(error instanceof TypeError) && (await connection.isAllowed()) === false;
    const told = hidden ? new Problem(403, { type: "/problems/origin-not-allowed", detail: `pages of ${location.origin} are not among this service's [embed] origins` }) : error;
    this.#inTrouble(() => (told instanceof TypeError ? told.message : explain(told)));
    this.#tell("error", { code: told.code ?? "unreachable", detail: told.message });
    return told;
  }

  #inTrouble(words) {
    this.trouble = words;
    this.#tell("trouble", words?.() ?? null);
  }

  #listen(connection) {
    const stream = (this.#stream = new SharedStream(`${connection.url} ${this.agent.name}`, connection));
    stream.addEventListener("message", ({ detail }) => this.#received(detail));
    stream.addEventListener("state", ({ detail }) => {
      this.cutOff = detail === "lost";
      this.#tell("state", detail);
    });
    stream.addEventListener("resync", () => this.resync());
    stream.start();
    this.resync();
  }

  #received(event) {
    document.dispatchEvent(new CustomEvent("stream-event", { detail: event }));
    if (ABOUT_NUMBERS.test(event.kind)) this.forget(event.case_id);
    const call = event.data?.call;
    if (call) this.apply(call);
    this.#tell(event.kind, event);
  }

  /** Read again what is true now: after a load, a sleep, a lost stream. */
  async resync() {
    document.dispatchEvent(new CustomEvent("stream-resync"));
    this.forget();
    try {
      const { items } = await calls.open();
      if (items.length) this.apply(items[0]);
      else if (isLive(this.call)) this.apply(await calls.get(this.call.id));
    } catch {
      return; // the stream tells that we are cut off, and the next resync follows it
    }
    this.#tell("resync");
  }

  /** A call's document, from wherever it came. */
  apply(call, from = null) {
    if (this.#spreading) return; // a bar that is given a call tells that it has it
    this.#spreading = true;
    const mine = isMine(call, this.agent?.name);
    const told = mine ? supersedes(call, this.call) : call.id === this.call?.id;
    if (told) this.call = mine ? call : null;
    for (const bar of this.#bars) if (bar !== from) bar.apply(call);
    this.#spreading = false;
    if (told) this.#tell("call", this.call);
  }

  // ---- what the page asks for

  /** A number, or `{number, caseId, partyId, name}`. Resolves to the call, rejects with the problem that says why not. */
  async dial(target) {
    await this.ready();
    const wish = typeof target === "string" ? { number: target } : target;
    const [bar] = this.#bars;
    try {
      if (!bar) this.apply(await place(intention(wish)));
      else await dialledBy(bar, wish);
    } catch (error) {
      this.#tell("refused", { number: wish.number, code: error.code ?? "no-answer", detail: error.message, ...error.members });
      throw error;
    }
    return this.call;
  }

  hangup = () => this.#act((id) => calls.hangup(id));
  hold = () => this.#act((id) => calls.hold(id));
  unhold = () => this.#act((id) => calls.unhold(id));
  mute = () => this.#act((id) => calls.mute(id));
  unmute = () => this.#act((id) => calls.unmute(id));
  dtmf = (digits) => this.#act((id) => calls.digits(id, String(digits)));
  transfer = (to, kind = "blind") => this.#act((id) => calls.transfer(id, { to, kind }));

  /** The note of a call, the last one unless `callId` names another: `{actionCode, note, outcome?, promise?, callBack?, fields?}`. */
  async saveLog({ callId, actionCode, callBack, ...body }) {
    await this.ready();
    const given = { ...body, action_code: actionCode, ...(callBack ? { call_back: callBack } : {}) };
    const note = await calls.dispose(callId ?? this.#current().id, given);
    this.#tell("note-saved", note);
    return note;
  }

  /** ready, busy or away, with a reason; during a call: afterwards. */
  async setAgentState(state, reason = null) {
    await this.ready();
    return agents.put(this.agent.name, state, reason);
  }

  /** Another token, where the page renews it by itself. */
  setToken(token) {
    this.#connection.token = token;
    this.#inTrouble(null);
    this.#stream?.restart();
  }

  /** Be told: `fn(detail)`. `*` is everything, as `fn(detail, name)`. Gives a function that ends it. */
  on(name, fn) {
    const listener = name === "*" ? ({ detail }) => fn(detail.detail, detail.name) : ({ detail }) => fn(detail);
    this.addEventListener(name, listener);
    return () => this.removeEventListener(name, listener);
  }

  // ---- for the elements

  attach(bar) {
    this.#bars.add(bar);
    if (this.call) bar.apply(this.call);
  }

  detach(bar) {
    this.#bars.delete(bar);
  }

  /** A case with its numbers and whether each may be called; asked once, until something happens to it. */
  case(caseId) {
    if (!this.#cases.has(caseId)) this.#cases.set(caseId, cases.get(caseId));
    return this.#cases.get(caseId);
  }

  forget(caseId = null) {
    if (caseId === null) this.#cases.clear();
    else this.#cases.delete(caseId);
    this.dispatchEvent(new CustomEvent("numbers-changed", { detail: caseId }));
  }

  tell(name, detail) {
    this.#tell(name, detail);
  }

  #current() {
    if (!this.call) throw new Problem(404, { type: "/problems/call-not-found", detail: "there is no call" });
    return this.call;
  }

  async #act(request) {
    await this.ready();
    const call = await request(this.#current().id);
    if (call?.id) this.apply(call);
    return this.call;
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
    this.dispatchEvent(new CustomEvent("*", { detail: { name, detail } }));
  }
}

async function dialledBy(bar, wish) {
  if (bar.busy) throw new Problem(409, { type: "/problems/agent-busy", detail: "you are on another call; finish it first" });
  const error = await bar.dial(wish);
  if (error) throw error;
}
