// What happened in a case, newest first: calls with their outcome and recording, and the notes that belong to them.

import { calls as callsApi } from "./api.js";
import { endingKey, endingTone, isLive, isRecorded } from "./call-model.js";
import { data, h } from "./dom.js";
import { amount, capital, day, duration, exact, moment, phoneNumber } from "./format.js";
import { icon } from "./icons.js";
import { currentLanguage, knows, t, tNodes } from "./i18n.js";

/** One entry a call (with its note) and one a note without a call, newest first. */
export function entries(notes, calls) {
  const byCall = new Map(calls.map((call) => [call.id, { id: call.id, at: call.created_at, call, note: null }]));
  const others = [];
  for (const note of notes) {
    const entry = byCall.get(note.call_id);
    if (entry) entry.note = note;
    else others.push({ id: note.id, at: note.at, call: null, note });
  }
  return [...byCall.values(), ...others].sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
}

/** An entry as a list item. `labels` maps action codes to {en, zh}; `complete` is offered for drafts of `me`. */
export function entryItem({ call, note, at }, { labels, me, complete }) {
  const draft = note?.state === "draft" && note.author === me && call && !isLive(call);
  return h(
    "li",
    { class: "entry", "data-draft": note?.state === "draft" ? "true" : null, "data-call": call?.id ?? null },
    h("span", { class: "entry-icon" }, icon(call ? (call.direction === "inbound" ? "incoming" : "phone") : "note")),
    h("div", { class: "entry-body" },
      h("p", { class: "entry-head" }, heading(call, note), call && outcome(call)),
      h("p", { class: "entry-meta muted small" }, h("time", { datetime: at, title: exact(at) }, moment(at)), data(call?.agent ?? note?.author), talkTime(call)),
      call?.override && h("p", { class: "small", "data-override": "" }, tNodes("timeline.override", { by: data(call.override.by), reason: data(call.override.reason) })),
      note && noteText(note, labels),
      call && isRecorded(call) && player(call, at),
      draft && h("button", { type: "button", class: "button button-small", "data-focus": `complete-${call.id}`, on: { click: () => complete(call, note) } }, icon("note"), t("timeline.complete"))),
  );
}

function heading(call, note) {
  const number = call?.number ?? note?.number;
  const relation = note?.relation;
  if (!number) return h("strong", {}, t("timeline.note"));
  const digits = data(phoneNumber(number), { class: "number" });
  const key = !call ? "timeline.note_about" : call.direction === "inbound" ? "timeline.call_from" : "timeline.call_to";
  return h("strong", {}, tNodes(key, { number: digits }), relation && knows(`relation.${relation}`) ? h("span", { class: "entry-relation" }, t(`relation.${relation}`)) : null);
}

function outcome(call) {
  if (isLive(call)) return h("span", { class: "tag", "data-tone": "busy" }, t(`call.state.${call.state}`));
  return h("span", { class: "tag", "data-tone": endingTone(call) }, t(endingKey(call)));
}

function talkTime(call) {
  if (!call?.connected_at || !call.ended_at) return null;
  return h("span", { class: "number" }, duration((Date.parse(call.ended_at) - Date.parse(call.connected_at)) / 1000));
}

function noteText(note, labels) {
  const label = labels[note.action_code];
  const promise = note.details?.promise;
  return h(
    "div",
    { class: "entry-note" },
    note.state === "draft" && h("span", { class: "tag", "data-tone": "warn" }, t("timeline.draft")),
    note.action_code && h("span", { class: "tag" }, label ? capital(label[currentLanguage()]) : data(note.action_code)),
    note.text && h("p", { class: "entry-text", dir: "auto", translate: "no" }, note.text),
    promise && h("p", { class: "small" }, tNodes("timeline.promise", { amount: promise.amount ? data(amount(promise.amount, promise.currency), { class: "number" }) : "", day: h("time", { datetime: promise.on }, day(promise.on)) })),
    (note.sent ?? []).map((one) => h("p", { class: "small muted", "data-sent": one.state, title: one.reason }, tNodes(`timeline.sent.${one.state}`, { destination: data(one.destination) }))),
  );
}

function player(call, at) {
  const holder = h("div", { class: "player" });
  const listen = () => {
    const audio = h("audio", { controls: true, preload: "auto", src: callsApi.audio(call.id), "aria-label": t("timeline.recording_of", { when: moment(at) }) });
    audio.addEventListener("error", () => holder.replaceChildren(h("p", { class: "notice notice-bad", role: "alert" }, t("timeline.not_playable"))));
    holder.replaceChildren(audio);
    audio.play().catch(() => {}); // a browser that plays nothing unasked shows the controls instead
    audio.focus();
  };
  holder.append(h("button", { type: "button", class: "button button-small", "data-focus": `play-${call.id}`, on: { click: listen } }, icon("play"), t("timeline.listen")));
  return holder;
}
