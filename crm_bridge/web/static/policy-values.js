// A client's own, stricter values as a form: hours, caps, guard, gap, and whether the recorder must be healthy.

import { fill, h } from "./dom.js";
import { locale, t } from "./i18n.js";
import { field } from "./oversight.js";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]|24:00";
const PER = ["person", "number", "debt", "account", "household"];
const COUNTS = ["attempts", "contacts", "conversations"];

const dayName = (index) => new Intl.DateTimeFormat(locale(), { weekday: "short", timeZone: "UTC" }).format(new Date(Date.UTC(2026, 5, 1 + index)));

/** The form. `house` is changed in place; `changed()` after each change, `redraw()` where rows come or go. */
export function valuesForm(house, disabled, changed, redraw) {
  const set = (key, value) => {
    if (value === null) delete house[key];
    else house[key] = value;
    changed();
  };
  const number = (key) => h("input", { type: "number", min: 0, step: "any", value: house[key] ?? "", disabled, "data-focus": key,
    on: { input: (event) => set(key, event.target.value === "" ? null : Number(event.target.value)) } });
  const recorder = h("input", { type: "checkbox", id: "recorder", disabled, checked: house.recorder_required !== false,
    on: { change: (event) => set("recorder_required", event.target.checked ? null : false) } });
  return h("div", { class: "form" },
    h("div", { class: "grid" }, field("policy.guard", number("guard_seconds"), "guard"), field("policy.gap", number("min_gap_minutes"), "gap")),
    h("label", { class: "check" }, recorder, t("policy.recorder")),
    list("policy.hours", "bands", house, "hours", disabled, { from: "08:00", to: "20:00" }, (band, index) => bandRow(band, index, disabled, changed), changed, redraw),
    list("policy.caps", "caps", house, "caps", disabled, { limit: 3, days: 1 }, (cap, index) => capRow(cap, index, disabled, changed), changed, redraw));
}

function list(title, name, house, key, disabled, fresh, row, changed, redraw) {
  const items = house[key] ?? [];
  const change = (next) => {
    if (next.length) house[key] = next;
    else delete house[key];
    changed();
    redraw();
  };
  const rows = items.map((item, index) => h("li", {}, row(item, index),
    !disabled && h("button", { type: "button", class: "button button-small", "data-focus": `${name}-drop-${index}`, "aria-label": t("policy.remove_from", { what: t(title), number: index + 1 }),
      on: { click: () => change(items.filter((_, at) => at !== index)) } }, t("policy.remove"))));
  return h("fieldset", {}, h("legend", { class: "small muted" }, t(title)), h("ul", { class: name }, rows),
    !items.length && h("p", { class: "muted small" }, t("policy.none")),
    !disabled && h("button", { type: "button", class: "button button-small", "data-focus": `${name}-add`, "data-add": key, on: { click: () => change([...items, { ...fresh }]) } }, t("policy.add", { what: t(title) })));
}

function bandRow(band, index, disabled, changed) {
  const clock = (key) => h("input", { type: "text", value: band[key] ?? "", pattern: CLOCK, maxlength: 5, required: true, disabled, "data-focus": `${key}-${index}`,
    on: { input: (event) => { band[key] = event.target.value; changed(); } } });
  const chosen = band.days ?? DAYS;
  const boxes = DAYS.map((day, at) => h("label", { class: "check small" }, h("input", { type: "checkbox", checked: chosen.includes(day), disabled, "data-focus": `${day}-${index}`,
    on: { change: (event) => {
      const now = new Set(band.days ?? DAYS);
      if (event.target.checked) now.add(day);
      else now.delete(day);
      band.days = DAYS.filter((one) => now.has(one));
      changed();
    } } }), dayName(at)));
  return h("div", { class: "row" }, field("policy.opens", clock("from"), `from-${index}`), field("policy.closes", clock("to"), `to-${index}`),
    h("div", { class: "weekdays", role: "group", "aria-label": t("policy.days") }, boxes));
}

function capRow(cap, index, disabled, changed) {
  const update = (key, value) => { cap[key] = value; changed(); };
  const unit = cap.minutes ? "minutes" : "days";
  const limit = h("input", { type: "number", min: 0, step: 1, required: true, value: cap.limit, disabled, "data-focus": `limit-${index}`, on: { input: (event) => update("limit", Number(event.target.value)) } });
  const window_ = h("input", { type: "number", min: 1, step: 1, required: true, value: cap[unit], disabled, "data-focus": `window-${index}`, on: { input: (event) => update(cap.minutes ? "minutes" : "days", Number(event.target.value)) } });
  const units = choice(["days", "minutes"], unit, disabled, `unit-${index}`, (value) => {
    const length = cap.days ?? cap.minutes;
    delete cap.days;
    delete cap.minutes;
    update(value, length);
  }, (value) => t(`policy.unit.${value}`));
  const per = choice(PER, (cap.per ?? ["person"])[0], disabled, `per-${index}`, (value) => update("per", [value]), (value) => t(`policy.per.${value}`));
  const counts = choice(COUNTS, cap.counts ?? "attempts", disabled, `counts-${index}`, (value) => update("counts", value), (value) => t(`policy.counts.${value}`));
  const parts = [["policy.limit", limit], ["policy.window", window_], ["policy.unit", units], ["policy.what", counts], ["policy.per", per]];
  return h("div", { class: "row" }, parts.map(([label, control]) => field(label, control, `${label.split(".")[1]}-cap-${index}`)));
}

function choice(values, chosen, disabled, focus, change, label) {
  const select = h("select", { disabled, "data-focus": focus, on: { change: (event) => change(event.target.value) } });
  fill(select, values.map((value) => h("option", { value, selected: value === chosen }, label(value))));
  return select;
}
