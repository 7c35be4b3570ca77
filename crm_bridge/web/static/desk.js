// The desk: who is here, which case is shown, one live stream, and the shortcuts. Parts talk through events.

import { explain, health, session } from "./api.js";
import "./agent-state.js";
import "./call-backs.js";
import { CallBar } from "./call-bar.js";
import { isLive } from "./call-model.js";
import "./case-list.js";
import "./case-view.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import "./incoming-call.js";
import { currentLanguage, loadRules, onLanguage, t, useLanguage } from "./i18n.js";
import { showPages } from "./navigation.js";
import { ownStream } from "./own-stream.js";
import "./right-party.js";

customElements.define("call-bar", CallBar);
const list = document.querySelector("case-list");
const view = document.querySelector("case-view");
const bar = document.querySelector("call-bar");
const shortcuts = document.getElementById("shortcuts");
const HEALTH_CHECK = 20_000; // ms
const banners = new Map();
let reader = null;
let stream = null; // once it is known who is here
let streamState = "connecting";

async function start() {
  await useLanguage(currentLanguage());
  try {
    [reader] = await Promise.all([session.get(), loadRules()]);
  } catch (error) {
    if (error.status === 401) return leave();
    return banner("session", "bad", () => explain(error));
  }
  if (reader.language && reader.language !== currentLanguage()) await useLanguage(reader.language);
  const canCall = reader.role === "collector";
  document.getElementById("desk").dataset.phone = String(canCall);
  document.getElementById("phone").hidden = !canCall;
  showPages(reader.role);
  document.getElementById("who").textContent = [reader.name, reader.extension].filter(Boolean).join(" · ");
  Object.assign(bar, { extension: reader.extension, me: reader.name });
  for (const part of document.querySelectorAll("agent-state, right-party, incoming-call, call-backs")) if (canCall) part.reader = reader;
  view.reader = { name: reader.name, role: reader.role, canCall: canCall && Boolean(reader.extension) };
  if (canCall && !reader.extension) banner("extension", "warn", () => t("banner.no_extension"));
  if (!canCall) banner("role", "info", () => t("banner.read_only", { role: t(`role.${reader.role}`) }));
  wire(canCall);
  await Promise.all([list.start(canCall), route()]);
}

function wire(canCall) {
  document.addEventListener("case-chosen", (event) => go(event.detail));
  document.addEventListener("dial", (event) => bar.dial(event.detail));
  document.addEventListener("complete", ({ detail: { call, note } }) => bar.complete(call, note, view.partyOf(call.party_id)));
  document.addEventListener("call-changed", (event) => callChanged(event.detail));
  document.addEventListener("disposition-saved", () => refresh());
  document.addEventListener("call-refused", () => view.refresh());
  window.addEventListener("popstate", () => route());
  stream = ownStream(reader.name);
  stream.addEventListener("state", (event) => streamChanged(event.detail));
  stream.addEventListener("message", (event) => received(event.detail));
  stream.addEventListener("resync", () => resync(canCall));
  stream.start();
  if (canCall) setInterval(checkHealth, HEALTH_CHECK);
}

// ---- which case is shown

const caseInAddress = () => {
  const found = /^\/cases\/([^/]+)$/.exec(location.pathname);
  return found ? decodeURIComponent(found[1]) : null;
};

function go(caseId) {
  if (caseId !== caseInAddress()) history.pushState(null, "", caseId ? `/cases/${encodeURIComponent(caseId)}` : "/");
  return route();
}

async function route() {
  const caseId = caseInAddress();
  list.choose(caseId);
  await view.show(caseId);
}

// ---- what the stream says

async function resync(canCall) {
  document.dispatchEvent(new CustomEvent("stream-resync"));
  await Promise.all([canCall && bar.resync(), canCall && checkHealth(), view.refresh()]);
}

function received(event) {
  document.dispatchEvent(new CustomEvent("stream-event", { detail: event }));
  if (event.kind === "pbx.state") return checkHealth();
  const call = event.data?.call;
  if (call) {
    bar.apply(call);
    view.applyCall(call);
  }
  const aboutThisCase = event.case_id === view.caseId;
  if (aboutThisCase && !["call.state", "call.created"].includes(event.kind)) view.refresh();
  if (["call.ended", "case.suspended", "case.resumed", "complaint.opened"].includes(event.kind)) list.refresh();
}

/** Whether calls can be placed and recorded at all; what is missing is told before anybody clicks. */
async function checkHealth() {
  const missing = await health().catch(() => null); // the stream's banner says when nothing can be asked
  if (!missing) return;
  const phones = reader.pbx ? [`pbx:${reader.pbx}`, "pbx"] : Object.keys(missing).filter((name) => name.startsWith("pbx"));
  const others = Object.keys(missing).filter((name) => !name.startsWith("pbx"));
  if (phones.some((name) => name in missing)) banner("pbx", "bad", () => t("banner.pbx_down"));
  else dropBanner("pbx");
  if (others.length) banner("recorder", "bad", () => t("banner.recorder_down"));
  else dropBanner("recorder");
}

function streamChanged(state) {
  streamState = state;
  if (state === "lost") banner("stream", "warn", () => t("banner.stream_lost"));
  else dropBanner("stream");
  drawStream();
}

function drawStream() {
  const place = document.getElementById("stream-state");
  place.dataset.state = streamState;
  fill(place, h("span", { class: "dot" }), h("span", {}, t(`stream.${streamState}`)));
}

function callChanged(call) {
  view.setBusy(bar.busy);
  if (call) view.applyCall(call);
  document.title = isLive(call) ? `● ${t("product.name")}` : t("product.name");
}

function refresh() {
  view.refresh();
  list.refresh();
}

// ---- banners: what touches everything and lasts until it is over

function banner(key, tone, text) {
  banners.set(key, { tone, text });
  drawBanners();
}

function dropBanner(key) {
  if (banners.delete(key)) drawBanners();
}

function drawBanners() {
  const rows = [...banners.entries()].map(([key, { tone, text }]) =>
    h("p", { class: `banner banner-${tone}`, "data-banner": key }, icon(tone === "info" ? "person" : "warning"), h("span", {}, text()),
      key === "session-ended" && h("a", { href: "/login" }, t("login.again"))));
  fill(document.getElementById("banners"), rows);
}

// ---- session, language, keyboard

function leave() {
  const back = location.pathname === "/" ? "" : `?next=${encodeURIComponent(location.pathname)}`;
  location.replace(`/login${back}`);
}

document.addEventListener("session-ended", () => {
  stream?.stop();
  if (isLive(bar.call)) banner("session-ended", "bad", () => t("banner.session_ended"));
  else leave();
});

document.getElementById("log-out").addEventListener("click", async () => {
  try {
    await session.close();
    sessionStorage.clear(); // notes typed here are nobody else's business
    location.replace("/login");
  } catch (error) {
    banner("session", "bad", () => explain(error));
  }
});

for (const button of document.querySelectorAll("[data-choose-language]")) {
  button.addEventListener("click", async () => {
    await useLanguage(button.dataset.chooseLanguage);
    await session.language(currentLanguage()).catch((error) => banner("session", "warn", () => explain(error)));
  });
}

document.querySelector("[data-in-page]").addEventListener("click", (event) => {
  event.preventDefault();
  go(null);
});

document.getElementById("show-shortcuts").addEventListener("click", () => shortcuts.showModal());

const KEYS = {
  KeyH: () => bar.hangup(),
  KeyL: () => bar.control("hold"),
  KeyM: () => bar.control("mute"),
  KeyG: () => bar.control("keypad"),
  KeyT: () => bar.control("transfer"),
  KeyR: () => bar.control("pause"),
  KeyS: () => list.focusSearch(),
  KeyC: () => view.focusFirstNumber(),
  KeyN: () => bar.focusNote(),
  KeyK: () => shortcuts.showModal(),
};

document.addEventListener("keydown", (event) => {
  // By the key's place, because Alt with a letter types another character on some keyboards.
  const act = event.altKey && !event.ctrlKey && !event.metaKey ? KEYS[event.code] : null;
  if (!act || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  act();
});

onLanguage(() => {
  drawStream();
  drawBanners();
});

await start();
