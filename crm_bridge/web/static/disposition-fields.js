// The parts of a disposition that depend on its action code: promise, call-back, the client's own fields, what follows.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { currentLanguage, t } from "./i18n.js";

const DAY = 86_400_000;

/** A labelled control with room for what is wrong with it; `name` is how the service names the field. */
export function field(name, control, label = t(`disposition.${name}`), required = false) {
  control.id = `disposition-${name.replaceAll(".", "-")}`;
  control.setAttribute("aria-describedby", `${control.id}-error`);
  if (required) control.setAttribute("aria-required", "true");
  const mark = required && h("span", { class: "required", "aria-hidden": "true" }, " *");
  return h("div", { class: "field", "data-field": name }, h("label", { for: control.id }, label, mark), control, h("p", { class: "field-error", id: `${control.id}-error` }));
}

const BOXES = { promise: "promised", call_back: "calls_back" };

/** A part that is opened by its box, or stands open where the code requires it. */
function part(name, opened, required, ...content) {
  const fields = h("div", { class: "promise", hidden: !opened && !required }, content);
  const box = h("input", { type: "checkbox", name: BOXES[name], checked: opened || required, disabled: required, on: { change: () => (fields.hidden = !box.checked) } });
  return h("fieldset", { "data-part": name }, h("legend", { class: "visually-hidden" }, t(`disposition.${name}`)),
    h("label", { class: "check" }, box, t(`disposition.${name}`)), fields);
}

export function promise(values, { required, opened }) {
  const amount = h("input", { name: "amount", inputmode: "decimal", autocomplete: "off", value: values.amount ?? "" });
  const due = h("input", { name: "due_on", type: "date", min: isoDay(0), value: values.due_on ?? "" });
  return part("promise", opened, required.includes("promise") || required.includes("amount"), field("amount", amount), field("due_on", due));
}

export function callBack(values, { required, opened, talked }) {
  const at = h("input", { name: "back_at", type: "datetime-local", value: values.back_at ?? "" });
  const agreed = h("input", { type: "checkbox", name: "back_agreed", checked: Boolean(values.back_agreed) && talked, disabled: !talked });
  const wish = h("label", { class: "check", title: talked ? null : t("disposition.nobody_agreed") }, agreed, t("disposition.back_agreed"));
  return part("call_back", opened, required.includes("call_back"), field("call_back.at", at), wish);
}

/** The client's own fields that this code asks for, or all of them where it says nothing. */
export function ownFields(fields, values, asked, required) {
  const wanted = fields.filter((one) => asked.includes(one.name) || required.includes(one.name));
  return wanted.map((one) => field(`fields.${one.name}`, ownControl(one, values[`own.${one.name}`] ?? ""), one.label[currentLanguage()], required.includes(one.name)));
}

function ownControl(one, value) {
  const name = `own.${one.name}`;
  if (one.kind === "choice") {
    return h("select", { name }, h("option", { value: "" }, t("disposition.choose")), one.choices.map((choice) => h("option", { value: choice, selected: choice === value }, choice)));
  }
  const kinds = { date: { type: "date" }, amount: { inputmode: "decimal" } };
  return h("input", { name, value, maxlength: 2000, autocomplete: "off", dir: "auto", ...kinds[one.kind] });
}

/** What saving does to the person, the number or the case: said before, since only a supervisor takes it back. */
export function consequences(effects) {
  if (!effects.length) return null;
  return h("div", { class: "notice notice-warn consequences" }, icon("warning"), h("ul", {}, effects.map((effect) => h("li", {}, t(`disposition.effect.${effect}`)))));
}

/** A day from today on as YYYY-MM-DD, in the reader's own time. */
export function isoDay(ahead) {
  const date = new Date(Date.now() + ahead * DAY);
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part_) => String(part_).padStart(2, "0")).join("-");
}
