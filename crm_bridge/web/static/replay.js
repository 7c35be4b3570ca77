// The replay desk: the list, the player, the address of the call that is shown, and one key for every command.

import { h } from "./dom.js";
import { t } from "./i18n.js";
import { open } from "./oversight.js";
import { replay } from "./oversight-api.js";
import "./replay-list.js";
import "./replay-player.js";
import "./review-form.js";
import "./wave-form.js";

const list = document.querySelector("replay-list");
const player = document.querySelector("replay-player");
const review = document.querySelector("review-form");
const shortcuts = document.getElementById("shortcuts");
const exporting = document.getElementById("export");
const singleKeys = document.getElementById("single-keys");

const callInAddress = () => /^\/qa\/calls\/([^/]+)$/.exec(location.pathname)?.[1] ?? null;

async function go(callId) {
  if (callId !== callInAddress()) history.pushState(null, "", `/qa/calls/${callId}`);
  await route();
}

async function route() {
  const callId = callInAddress();
  list.choose(callId);
  try {
    const known = callId && (list.entry(callId) ?? (await replay.find({ call_id: callId })).items[0]);
    if (callId && !known) return player.fail(new Error("not found"));
    const scoring = review.show(known || null);
    await player.show(known || null);
    await scoring;
    const second = Number(new URLSearchParams(location.search).get("t"));
    if (known && second > 0) player.seek(second);
  } catch (error) {
    player.fail(error);
  }
}

// ---- keys. Single keys can be turned off (WCAG 2.1.4), and never fire where somebody types.

const KEYS = {
  " ": () => player.toggle(),
  s: () => player.skipSilence(),
  1: () => player.hear("both"),
  2: () => player.hear("ours"),
  3: () => player.hear("theirs"),
  "+": () => player.faster(1),
  "=": () => player.faster(1),
  "-": () => player.faster(-1),
  g: () => player.nextRegion(),
  z: () => player.zoom(2),
  x: () => player.zoom(0.5),
  c: () => player.comment(),
  j: () => list.step(1),
  k: () => list.step(-1),
  "/": () => list.focusSearch(),
  "?": () => shortcuts.showModal(),
};
const MOVES = {
  ArrowLeft: (small) => player.step(small ? -1 : -5),
  ArrowRight: (small) => player.step(small ? 1 : 5),
  Home: () => player.seek(0),
  End: () => player.toEnd(),
};

document.addEventListener("keydown", (event) => {
  const control = event.target.closest?.("input, select, textarea, dialog, summary");
  if (event.ctrlKey || event.metaKey || event.altKey || control) return;
  const presses = event.key === " " && event.target.closest?.("button, a");
  const act = MOVES[event.key] ? () => MOVES[event.key](event.shiftKey) : singleKeys.checked ? KEYS[event.key.toLowerCase()] : event.key === " " ? KEYS[" "] : null;
  if (!act || presses) return;
  event.preventDefault();
  act();
});

singleKeys.checked = localStorage.getItem("single_keys") !== "off";
singleKeys.addEventListener("change", () => localStorage.setItem("single_keys", singleKeys.checked ? "on" : "off"));
document.getElementById("show-shortcuts").addEventListener("click", () => shortcuts.showModal());

// ---- taking a copy away: only with a reason

player.addEventListener("export", (event) => {
  exporting.dataset.call = event.detail;
  document.getElementById("export-error").textContent = "";
  exporting.showModal();
  document.getElementById("export-reason").focus();
});
document.getElementById("export-cancel").addEventListener("click", () => exporting.close());
document.getElementById("export-form").addEventListener("submit", (event) => {
  const reason = document.getElementById("export-reason");
  if (!reason.value.trim()) {
    event.preventDefault();
    document.getElementById("export-error").textContent = t("replay.needs_reason");
    reason.setAttribute("aria-invalid", "true");
    return reason.focus();
  }
  reason.removeAttribute("aria-invalid");
  const address = replay.download(exporting.dataset.call, event.submitter?.value || "mp3", reason.value.trim());
  const link = h("a", { href: address, download: "" });
  document.body.append(link);
  link.click();
  link.remove();
  reason.value = "";
});

document.addEventListener("call-chosen", (event) => go(event.detail));
window.addEventListener("popstate", () => route());

const reader = await open();
if (reader) {
  player.reader = reader;
  await list.start();
  await route();
}
