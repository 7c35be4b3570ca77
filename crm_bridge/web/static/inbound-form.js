// The editor of one route, and a route in words.

import { data, h } from "./dom.js";
import { t } from "./i18n.js";
import { field } from "./oversight.js";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/** Where a call goes, way after way. */
export function waysText(ways) {
  return ways.flatMap((way, index) => [index > 0 && ", ", t(`inbound.to.${way.to}`), way.target && [" ", data(way.target)]].flat());
}

/** When the number is answered. */
export function hoursText({ hours, zone }) {
  if (!hours) return t("inbound.always");
  if (hours.length === 0) return t("inbound.never");
  const bands = hours.map((band) => `${band.days.length === 7 ? "" : `${band.days.map((day) => t(`inbound.day.${day}`)).join(" ")} `}${band.from}–${band.to}`);
  return [bands.join("; "), " ", h("span", { class: "muted small" }, zone)];
}

/** The form of a draft, which it changes in place; `redraw` when other controls are needed. */
export function routeForm(draft, groupNames, known, redraw) {
  const text = (name, attributes = {}) => h("input", { type: "text", value: draft[name] ?? "", "data-focus": `route-${name}`, maxlength: 128, ...attributes, on: { input: (event) => { draft[name] = event.target.value.trim() || null; } } });
  const choose = (value) => {
    draft.to = value;
    draft.target = null;
    redraw();
  };
  return h("form", { class: "form" },
    h("div", { class: "grid" },
      field("inbound.did", text("did", { required: true, readonly: known, maxlength: 40, pattern: "\\*|[+0-9 \\(\\)\\-]{3,}" }), "route-did"),
      field("inbound.leads_to", options("route-to", ["owner", "group", "extension"], draft.to, choose, (one) => t(`inbound.to.${one}`)), "route-to"),
      draft.to !== "owner" && target(draft, groupNames, "route-target", "inbound.target"),
      field("inbound.ring_seconds", h("input", { type: "number", min: 5, max: 120, required: true, value: draft.ring_seconds, "data-focus": "route-ring", on: { input: (event) => { draft.ring_seconds = Number(event.target.value); } } }), "route-ring"),
      field("inbound.client", text("client"), "route-client")),
    hours(draft, redraw), overflow(draft, groupNames, redraw),
    h("div", { class: "grid" },
      field("inbound.announcement", text("announcement"), "route-announcement"),
      field("inbound.closed_message", text("closed_message"), "route-closed"),
      field("inbound.reason", text("reason"), "route-reason")),
    h("label", { class: "check" }, h("input", { type: "checkbox", checked: draft.enabled, "data-focus": "route-enabled", on: { change: (event) => { draft.enabled = event.target.checked; } } }), " ", t("inbound.enabled")));
}

function options(focus, values, chosen, change, words = (one) => one) {
  return h("select", { "data-focus": focus, required: true, on: { change: (event) => change(event.target.value) } }, values.map((one) => h("option", { value: one, selected: one === chosen }, words(one))));
}

/** A group is chosen, a phone or a sound file is typed. */
function target(way, groupNames, id, label) {
  if (way.to !== "group") {
    return field(label, h("input", { type: "text", value: way.target ?? "", required: way.to === "extension", maxlength: 64, "data-focus": id, on: { input: (event) => { way.target = event.target.value.trim() || null; } } }), id);
  }
  way.target ??= groupNames[0] ?? null;
  return field(label, options(id, groupNames, way.target, (value) => { way.target = value; }), id);
}

function hours(draft, redraw) {
  const always = draft.hours === null;
  const bands = draft.hours ?? [];
  const set = (value) => {
    draft.hours = value;
    redraw();
  };
  const toggle = (band, day, on) => { band.days = DAYS.filter((one) => (one === day ? on : band.days.includes(one))); };
  return h("fieldset", { class: "bands" }, h("legend", {}, t("inbound.hours")),
    h("label", { class: "check" }, h("input", { type: "checkbox", checked: always, "data-focus": "always", on: { change: (event) => set(event.target.checked ? null : [{ days: DAYS.slice(0, 5), from: "09:00", to: "18:00" }]) } }), " ", t("inbound.always")),
    bands.map((band, index) => h("div", { class: "band", role: "group", "aria-label": `${t("inbound.hours")} ${index + 1}` },
      DAYS.map((day) => h("label", { class: "check" }, h("input", { type: "checkbox", checked: band.days.includes(day), on: { change: (event) => toggle(band, day, event.target.checked) } }), " ", t(`inbound.day.${day}`))),
      ["from", "to"].map((end) => h("input", { type: "text", pattern: "([01]\\d|2[0-3]):[0-5]\\d|24:00", required: true, size: 5, value: band[end], "aria-label": t(`inbound.${end}`), "data-focus": `band-${index}-${end}`, on: { input: (event) => { band[end] = event.target.value; } } })),
      h("button", { type: "button", class: "button button-small", "data-focus": `unband-${index}`, on: { click: () => set(bands.filter((one) => one !== band)) } }, t("inbound.take_away")))),
    !always && h("button", { type: "button", class: "button button-small", "data-focus": "add-band", on: { click: () => set([...bands, { days: [...DAYS], from: "09:00", to: "18:00" }]) } }, t("inbound.add_band")));
}

function overflow(draft, groupNames, redraw) {
  const set = (value) => {
    draft.overflow = value;
    redraw();
  };
  return h("fieldset", { class: "bands" }, h("legend", {}, t("inbound.overflow")),
    h("ol", { class: "stops" }, draft.overflow.map((way, index) => h("li", {}, h("div", { class: "grid" },
      field("inbound.leads_to", options(`way-${index}`, ["group", "extension", "message"], way.to, (to) => set(draft.overflow.with(index, { to, target: null })), (one) => t(`inbound.to.${one}`)), `way-${index}`),
      target(way, groupNames, `way-target-${index}`, way.to === "message" ? "inbound.sound" : "inbound.target"),
      h("button", { type: "button", class: "button button-small", "data-focus": `unway-${index}`, on: { click: () => set(draft.overflow.filter((one) => one !== way)) } }, t("inbound.take_away")))))),
    draft.overflow.length < 5 && h("button", { type: "button", class: "button button-small", "data-focus": "add-way", on: { click: () => set([...draft.overflow, { to: groupNames.length ? "group" : "message", target: null }]) } }, t("inbound.add_way")));
}
