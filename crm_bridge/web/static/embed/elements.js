// <call-bar> and <call-link> for pages of other origins: the desk's own parts in a shadow root, where the page's styles do not reach.

import "../agent-state.js";
import { serviceNow } from "../api.js";
import { CallBar } from "../call-bar.js";
import { data, fill, h } from "../dom.js";
import { phoneNumber } from "../format.js";
import { icon } from "../icons.js";
import "../incoming-call.js";
import { locale, onLanguage, t } from "../i18n.js";
import { untilWhen, whyNot } from "../refusal.js";
import "../right-party.js";

const KEYS = { KeyH: "hangup", KeyL: "hold", KeyM: "mute", KeyG: "keypad", KeyT: "transfer", KeyN: "note" };
const SOONEST = 1_000; // ms after the moment that the service names
const LONGEST = 86_400_000; // ms; timers cannot wait for weeks
let sheet = null;
let bridge = null;

/** Define the elements for this page's bridge. */
export function defineElements(made, styles) {
  bridge = made;
  sheet = new CSSStyleSheet();
  sheet.replaceSync(styles);
  customElements.define("call-panel", CallBar);
  customElements.define("call-bar", EmbeddedBar);
  customElements.define("call-link", CallLink);
  document.addEventListener("click", dialTel);
}

/** A shadow root in our styles and our language. */
function rootOf(element) {
  const root = element.attachShadow({ mode: "open", delegatesFocus: element.localName === "call-link" });
  root.adoptedStyleSheets = [sheet];
  onLanguage(() => (element.lang = locale()));
  return root;
}

/** What the collector sees of the call, what rings, and what was said: `language`, `keys="off"` are its attributes. */
class EmbeddedBar extends HTMLElement {
  #panel = null;
  #parts = {};

  connectedCallback() {
    if (!this.#panel) this.#build();
    document.addEventListener("keydown", this.#pressed);
    for (const name of ["state", "trouble"]) bridge.addEventListener(name, this.#draw);
    bridge.addEventListener("ready", this.#ready);
    this.#draw();
    if (bridge.agent) this.#ready();
  }

  disconnectedCallback() {
    document.removeEventListener("keydown", this.#pressed);
    for (const name of ["state", "trouble"]) bridge.removeEventListener(name, this.#draw);
    bridge.removeEventListener("ready", this.#ready);
    bridge.detach(this.#panel);
  }

  #build() {
    const root = rootOf(this);
    this.#parts = {
      trouble: h("div", { class: "bar-trouble", role: "alert" }),
      state: h("agent-state", { hidden: true }),
      incoming: h("incoming-call", { hidden: true, "data-open": "by-hand" }),
      party: h("right-party", { hidden: true }),
    };
    this.#panel = h("call-panel");
    root.append(h("section", { class: "bar", "aria-label": t("call.title") }, ...Object.values(this.#parts), this.#panel));
    for (const name of ["call-changed", "disposition-saved"]) root.addEventListener(name, ({ detail }) => document.dispatchEvent(new CustomEvent(name, { detail })));
    root.addEventListener("call-changed", ({ detail }) => detail && bridge.apply(detail, this.#panel));
    root.addEventListener("disposition-saved", ({ detail }) => bridge.tell("note-saved", detail));
    root.addEventListener("case-chosen", ({ detail }) => this.#open(detail));
    onLanguage(() => root.querySelector(".bar").setAttribute("aria-label", t("call.title")));
  }

  #ready = () => {
    const { agent } = bridge;
    this.#draw();
    this.lang = locale();
    Object.assign(this.#panel, { extension: agent.extension, me: agent.name });
    for (const part of [this.#parts.state, this.#parts.incoming, this.#parts.party]) part.reader = agent;
    bridge.attach(this.#panel);
  };

  /** Go to a case: the page decides, else the address that its client has for it. */
  #open(caseId) {
    const match = this.#parts.incoming.call?.matches.find((one) => one.case_id === caseId);
    const wish = new CustomEvent("open-case", { cancelable: true, bubbles: true, composed: true, detail: { case_id: caseId, link: match?.link ?? null } });
    bridge.tell("open-case", wish.detail);
    if (this.dispatchEvent(wish) && match?.link) location.assign(match.link);
  }

  #draw = () => {
    const words = bridge.trouble?.() ?? (bridge.cutOff ? t("banner.stream_lost") : null);
    fill(this.#parts.trouble, words && h("div", { class: `notice notice-${bridge.trouble ? "bad" : "warn"}` }, icon("warning"), h("p", {}, words)));
    this.dataset.state = bridge.trouble ? "trouble" : bridge.agent ? "ready" : "starting";
  };

  #pressed = (event) => {
    const act = event.altKey && !event.ctrlKey && !event.metaKey && this.getAttribute("keys") !== "off" ? KEYS[event.code] : null;
    if (!act || document.querySelector("dialog[open]") || this.shadowRoot.querySelector("dialog[open]")) return;
    event.preventDefault();
    if (act === "hangup") this.#panel.hangup();
    else if (act === "note") this.#panel.focusNote();
    else this.#panel.control(act);
  };
}

/** A number that can be called: `number`, and where the page knows them `case`, `party`, `name`. It says why not, and until when. */
class CallLink extends HTMLElement {
  static observedAttributes = ["number", "case", "party", "name"];
  #button = null;
  #why = null;
  #refusal = null;
  #seen = null;
  #visible = false;
  #turn = 0;
  #timer = null;

  connectedCallback() {
    if (!this.#button) this.#build();
    bridge.addEventListener("numbers-changed", this.#changed);
    bridge.addEventListener("call", this.#draw);
    this.#seen = new IntersectionObserver(([entry]) => {
      if (this.#visible === entry.isIntersecting) return;
      this.#visible = entry.isIntersecting;
      if (this.#visible) this.#look();
    });
    this.#seen.observe(this);
  }

  disconnectedCallback() {
    this.#seen.disconnect();
    clearTimeout(this.#timer);
    bridge.removeEventListener("numbers-changed", this.#changed);
    bridge.removeEventListener("call", this.#draw);
  }

  attributeChangedCallback() {
    if (this.#button) this.#look();
  }

  #build() {
    const root = rootOf(this);
    this.#why = h("span", { class: "link-why", id: "why" });
    this.#button = h("button", { type: "button", class: "link", part: "button", "aria-describedby": "why", on: { click: () => this.#dial() } },
      icon("phone"), h("slot", {}, data(phoneNumber(this.#number), { class: "number" })));
    root.append(this.#button, this.#why);
    onLanguage(this.#draw);
    this.#draw();
  }

  get #number() {
    return this.getAttribute("number") ?? "";
  }

  #target() {
    const [caseId, partyId, name] = ["case", "party", "name"].map((one) => this.getAttribute(one) ?? undefined);
    return { number: this.#number, name, ...(caseId && partyId ? { caseId, partyId } : {}) };
  }

  async #dial() {
    if (this.#button.getAttribute("aria-disabled") === "true") return;
    try {
      await bridge.dial(this.#target());
    } catch (error) {
      this.#refusal = error.code === "policy-denied" ? error.members : null;
      this.#draw();
    }
  }

  #changed = ({ detail: caseId }) => {
    if (this.#visible && (caseId === null || caseId === this.getAttribute("case"))) this.#look();
  };

  /** Ask whether the number may be called now; a page that names no case hears it when it calls. The last question counts. */
  async #look() {
    const { caseId, partyId, number } = this.#target();
    const turn = ++this.#turn;
    let refusal = null;
    try {
      await bridge.ready();
      if (caseId) refusal = refusalOf(await bridge.case(caseId), partyId, number);
    } catch {
      return; // the bar says what is wrong
    }
    if (turn !== this.#turn) return;
    this.#refusal = refusal;
    this.#askAgain();
    this.#draw();
  }

  /** Once it may be called again, for the page that stays open. */
  #askAgain() {
    clearTimeout(this.#timer);
    const wait = Date.parse(this.#refusal?.retry_at ?? "") - serviceNow();
    if (wait > 0) this.#timer = setTimeout(() => bridge.forget(this.getAttribute("case")), Math.min(wait + SOONEST, LONGEST));
  }

  #draw = () => {
    const busy = bridge.call && bridge.call.state !== "ended";
    const denied = this.#refusal && this.hasAttribute("case");
    this.#button.setAttribute("aria-disabled", String(Boolean(denied || busy)));
    this.dataset.allowed = String(!this.#refusal);
    fill(this.#why, this.#refusal && [whyNot(this.#refusal), " ", untilWhen(this.#refusal)]);
  };
}

function refusalOf(kase, partyId, number) {
  const party = kase.parties.find((one) => one.id === partyId);
  const found = party?.numbers.find((one) => one.e164 === number);
  return found && !found.allowed_now ? found : null;
}

/** A link to `tel:` anywhere in the page, also one that comes later: `data-case` and `data-party` name whose it is. */
function dialTel(event) {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.composedPath().find((one) => one instanceof HTMLAnchorElement && one.href.startsWith("tel:"));
  if (!link || !bridge.agent || "callIgnore" in link.dataset) return;
  event.preventDefault();
  const number = decodeURIComponent(link.getAttribute("href").slice("tel:".length)).split(";")[0];
  const { case: caseId, party: partyId } = link.dataset;
  bridge.dial({ number, name: link.dataset.name, ...(caseId && partyId ? { caseId, partyId } : {}) }).catch(() => null); // the bar says why not
}
