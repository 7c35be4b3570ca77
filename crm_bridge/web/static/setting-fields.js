// A document as a form, by a description of its fields. The document is changed in place; `changed` is called after each change.
//
// A field: { key, kind: text | number | select | check | words | names | days | pair | group | list, ... }; `label` is its key of the catalogue.

import { fill, h } from "./dom.js";
import { locale, t } from "./i18n.js";
import { word } from "./setting-diff.js";

let numbers = 0;

/** Controls for every field of `draft`. `state` = { disabled, changed(), redraw() }. */
export function controls(fields, draft, state, path = "") {
  return h("div", { class: "grid" }, fields.filter((one) => !one.when || one.when(draft)).map((one) => control(one, draft, state, `${path}${one.key}`)));
}

function control(one, draft, state, path) {
  if (one.kind === "list") return list(one, draft, state, path);
  if (one.kind === "group") return h("fieldset", { class: "wide" }, h("legend", { class: "small muted" }, t(one.label ?? `set.field.${one.key}`)), controls(one.fields, draft[one.key], state, `${path}.`));
  if (one.kind === "pair") return pair(one, draft, state, path);
  if (one.kind === "words") return words(one, draft, state, path);
  if (one.kind === "days") return words({ ...one, values: () => [0, 1, 2, 3, 4, 5, 6], text: dayName }, draft, state, path);
  const input = (one.kind === "select" ? select : one.kind === "check" ? check : one.kind === "names" ? names : plain)(one, draft, state);
  input.dataset.focus = path;
  input.id = `set-${(numbers += 1)}`;
  input.disabled = state.disabled;
  const label = t(one.label ?? `set.field.${one.key}`);
  if (one.kind === "check") return h("label", { class: "check", for: input.id }, input, label);
  return h("div", { class: `field ${one.wide ? "wide" : ""}` }, h("label", { for: input.id }, label), input, one.hint && h("p", { class: "muted small" }, t(one.hint)));
}

const dayName = (index) => new Intl.DateTimeFormat(locale(), { weekday: "short", timeZone: "UTC" }).format(new Date(Date.UTC(2026, 5, 1 + index)));

function plain(one, draft, state) {
  const number = one.kind === "number";
  const { min, max, step, pattern, maxlength, required, placeholder } = one;
  return h("input", { type: number ? "number" : "text", value: draft[one.key] ?? "", min, max, step, pattern, maxlength: maxlength ?? (number ? null : 500), required, placeholder,
    autocomplete: "off", spellcheck: "false", on: { input: (event) => {
      const { value } = event.target;
      draft[one.key] = number ? (value === "" ? null : Number(value)) : value;
      state.changed();
    } } });
}

function select(one, draft, state) {
  const values = one.values(draft);
  const options = values.map((value) => h("option", { value: value ?? "", selected: (draft[one.key] ?? "") === (value ?? "") }, one.text(value)));
  return h("select", { on: { change: (event) => {
    draft[one.key] = event.target.value === "" ? null : event.target.value;
    state.changed();
    if (one.redraws) state.redraw();
  } } }, options);
}

function check(one, draft, state) {
  return h("input", { type: "checkbox", checked: Boolean(draft[one.key]), on: { change: (event) => {
    draft[one.key] = event.target.checked;
    state.changed();
  } } });
}

function names(one, draft, state) {
  return h("input", { type: "text", value: (draft[one.key] ?? []).join(", "), autocomplete: "off", spellcheck: "false", list: one.list, on: { input: (event) => {
    draft[one.key] = event.target.value.split(/[,\u3001\uff0c]/).map((name) => name.trim()).filter(Boolean);
    state.changed();
  } } });
}

function pair(one, draft, state, path) {
  draft[one.key] ??= { zh: "", en: "" };
  const side = (language) => control({ key: language, label: `set.in.${language}`, required: true, maxlength: one.maxlength ?? 64 }, draft[one.key], state, `${path}.${language}`);
  return h("div", { class: `pair ${one.wide ? "wide" : ""}`, role: "group", "aria-label": t(one.label ?? `set.field.${one.key}`) }, side("zh"), side("en"));
}

function words(one, draft, state, path) {
  const boxes = one.values(draft).map((value) => h("label", { class: "check small" },
    h("input", { type: "checkbox", checked: (draft[one.key] ?? []).includes(value), disabled: state.disabled, "data-focus": `${path}.${value}`, on: { change: (event) => {
      const chosen = new Set(draft[one.key] ?? []);
      if (event.target.checked) chosen.add(value);
      else chosen.delete(value);
      draft[one.key] = one.values(draft).filter((known) => chosen.has(known));
      state.changed();
    } } }), one.text(value)));
  return h("fieldset", { class: "wide" }, h("legend", { class: "small muted" }, t(one.label ?? `set.field.${one.key}`)), h("div", { class: "words" }, boxes));
}

// ---- lists: each entry a row that opens, moved and taken out by buttons

function list(one, draft, state, path) {
  const items = (draft[one.key] ??= []);
  const put = (next, focus) => {
    draft[one.key] = next;
    state.changed();
    state.redraw(focus);
  };
  const rows = items.map((item, index) => row(one, items, item, index, state, `${path}.${index}`, put));
  const fresh = () => {
    state.open.add(`${path}.${items.length}`);
    put([...items, structuredClone(one.fresh())], `${path}.${items.length}.${one.fields[0].key}`);
  };
  return h("fieldset", { class: "wide set-list" }, h("legend", { class: "visually-hidden" }, t(one.label ?? `set.field.${one.key}`)),
    h("div", { class: "line" }, h("h2", {}, t(one.label ?? `set.field.${one.key}`)), h("span", { class: "muted small" }, t("set.count", { count: items.length })),
      !state.disabled && h("button", { type: "button", class: "button button-small end", "data-focus": `${path}.add`, on: { click: fresh } }, t("set.add"))),
    h("ol", { class: "set-rows" }, rows), !items.length && h("p", { class: "muted small" }, t("set.empty")));
}

function row(one, items, item, index, state, path, put) {
  const name = () => one.title(item) || t("set.unnamed");
  const open = state.open.has(path);
  const body = h("div", { id: `set-${(numbers += 1)}`, class: "set-body", hidden: !open }, open && controls(one.fields, item, state, `${path}.`));
  const toggle = h("button", { type: "button", class: "set-title", "aria-expanded": String(open), "aria-controls": body.id, "data-focus": `${path}.open`, on: { click: () => {
    if (state.open.has(path)) state.open.delete(path);
    else state.open.add(path);
    state.redraw();
  } } }, h("span", { translate: "no" }, name()), h("span", { class: "muted small" }, one.summary?.(item) ?? ""));
  const move = (by) => {
    const next = [...items];
    [next[index], next[index + by]] = [next[index + by], next[index]];
    swap(state.open, path, path.replace(/\d+$/, String(index + by)));
    put(next, `${path.replace(/\d+$/, String(index + by))}.${by < 0 ? "up" : "down"}`);
  };
  const out = () => {
    state.open.clear();
    put(items.filter((_, at) => at !== index), `${path.replace(/\.\d+$/, "")}.add`);
  };
  const button = (what, key, off, act) => h("button", { type: "button", class: "button button-small", "aria-label": t(key, { name: name() }), title: t(key, { name: name() }), "data-focus": `${path}.${what}`, "aria-disabled": String(off),
    on: { click: () => off || act() } }, { up: "↑", down: "↓", out: "✕" }[what]);
  return h("li", { class: "set-row" }, h("div", { class: "set-head" }, toggle,
    !state.disabled && h("span", { class: "set-moves" }, button("up", "set.up", index === 0, () => move(-1)), button("down", "set.down", index === items.length - 1, () => move(1)), button("out", "set.out", false, out))), body);
}

function swap(open, one, other) {
  const [here, there] = [open.has(one), open.has(other)];
  for (const [path, on] of [[one, there], [other, here]]) {
    if (on) open.add(path);
    else open.delete(path);
  }
}

/** Draw `fields` of `draft` into `parent` again, with the focus where it was or at `focus`. */
export function redraw(parent, fields, draft, state, focus) {
  fill(parent, controls(fields, draft, state));
  if (focus) parent.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
}

export { word };
