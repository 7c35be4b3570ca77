// Why a number may not be called, in a sentence, and until when: the same words beside a number and after a click.

import { h } from "./dom.js";
import { elsewhere, moment } from "./format.js";
import { reasonOf, ruleText, t, tNodes } from "./i18n.js";

/** What the rule says, in its pack's words; else the reason given. `refusal`: {rule, reason, reason_zh, retry_at}. */
export function whyNot(refusal) {
  const why = ruleText(refusal.rule) ?? (reasonOf(refusal) || t("number.not_allowed"));
  return /[.!?。!?]$/.test(why) ? why : `${why}${t("sentence.end")}`;
}

/** Until when, in the reader's time and, where clocks differ, in the callee's; null if it does not end by itself. */
export function untilWhen(refusal, locations = []) {
  if (!refusal.retry_at) return null;
  const there = locations.map((one) => one.zone && elsewhere(refusal.retry_at, one.zone)).find(Boolean);
  const when = h("time", { datetime: refusal.retry_at }, moment(refusal.retry_at));
  if (!there) return h("span", {}, tNodes("number.until", { when }));
  return h("span", {}, tNodes("number.until_there", { when, time: there.time, zone: there.zone }));
}
