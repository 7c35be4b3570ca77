// Time left to a deadline, in words and a tone, kept right every second without drawing anything anew.

import { serviceNow } from "./api.js";
import { h } from "./dom.js";
import { exact } from "./format.js";
import { onLanguage, t } from "./i18n.js";

const TICK = 1_000; // ms
const SECONDS_BELOW = 10; // minutes left from which on seconds are shown

/** Words for a span in ms: days and hours, hours and minutes, minutes, or minutes and seconds when it is short. */
export function span(milliseconds) {
  const seconds = Math.floor(Math.abs(milliseconds) / 1_000);
  const minutes = Math.floor(seconds / 60);
  if (minutes >= 48 * 60) return t("countdown.days", { days: Math.floor(minutes / 1_440), hours: Math.floor((minutes % 1_440) / 60) });
  if (minutes >= 60) return t("countdown.hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
  if (minutes >= SECONDS_BELOW) return t("countdown.minutes", { minutes });
  return t("countdown.seconds", { minutes, seconds: seconds % 60 });
}

/** A countdown to `due`; from `warn` on it looks like a warning, after `due` it counts up and looks bad. */
export function countdown(due, warn = null) {
  const element = h("time", { class: "countdown tag", datetime: due, title: exact(due), "data-due": due, "data-warn": warn });
  show(element);
  return element;
}

function show(element) {
  const left = Date.parse(element.dataset.due) - serviceNow();
  const warned = element.dataset.warn && Date.parse(element.dataset.warn) <= serviceNow();
  const text = t(left >= 0 ? "countdown.left" : "countdown.over", { time: span(left) });
  if (element.textContent !== text) element.textContent = text;
  element.dataset.tone = left < 0 ? "bad" : warned ? "warn" : "good";
}

function showAll() {
  for (const element of document.querySelectorAll(".countdown")) show(element);
}

setInterval(showAll, TICK);
onLanguage(showAll);
