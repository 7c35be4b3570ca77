// What a change would change: two documents compared field by field, in the reader's words.

import { knows, t } from "./i18n.js";

const WORDS = { unit: "set.unit", role: "clock.owner", owner: "clock.owner", escalate: "clock.owner", outcome: "outcome", requires: "set.asked", asks: "set.asked", kind: "set.kind" };
const KEYS = ["code", "name", "id", "field", "severity", "kind"]; // what an entry of a list is called by

/** The differences between two documents: `[{ where, before, after }]`, each side as text or null where there is none. */
export function differences(before, after) {
  const found = [];
  compare(found, [], before, after);
  return found;
}

function compare(found, path, before, after, key = "") {
  if (same(before, after)) return;
  if (isList(before) && isList(after) && [...before, ...after].every(isObject)) return entries(found, path, before, after);
  if (isObject(before) && isObject(after)) {
    for (const inner of new Set([...Object.keys(before), ...Object.keys(after)])) compare(found, [...path, word(inner)], before[inner], after[inner], inner);
    return;
  }
  found.push({ where: path, before: shown(before, key), after: shown(after, key) });
}

// Entries are matched by their name, so that one that was taken out is one line and not a change of all after it.
function entries(found, path, before, after) {
  const old = new Map(before.map((item, index) => [nameOf(item, index), item]));
  const now = new Map(after.map((item, index) => [nameOf(item, index), item]));
  for (const [name, item] of old) compare(found, [...path, name], item, now.get(name));
  for (const [name, item] of now) if (!old.has(name)) found.push({ where: [...path, name], before: null, after: shown(item) });
  const kept = [...old.keys()].filter((name) => now.has(name));
  const order = [...now.keys()].filter((name) => old.has(name));
  if (!same(kept, order)) found.push({ where: [...path, t("set.order")], before: kept.join(", "), after: order.join(", ") });
}

const isList = Array.isArray;
const isObject = (value) => value !== null && typeof value === "object" && !isList(value);
const nameOf = (item, index) => KEYS.map((key) => item[key]).find((value) => typeof value === "string" && value) ?? `#${index + 1}`;
const same = (one, other) => JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));

function sorted(value) {
  if (isList(value)) return value.map(sorted);
  if (!isObject(value)) return value ?? null;
  return Object.fromEntries(Object.keys(value).sort().filter((key) => value[key] !== undefined).map((key) => [key, sorted(value[key])]));
}

/** A field's name as people read it. */
export const word = (key) => (knows(`set.field.${key}`) ? t(`set.field.${key}`) : key);

function shown(value, key = "") {
  if (value === null || value === undefined || value === "") return null;
  if (typeof value === "boolean") return t(value ? "set.yes" : "set.no");
  if (isList(value)) return value.length ? value.map((item) => shown(item, key) ?? "").join(", ") : null;
  if (isObject(value)) {
    return Object.entries(value).map(([name, inner]) => [word(name), shown(inner, name)]).filter(([, text]) => text !== null).map(([name, text]) => `${name}: ${text}`).join("; ");
  }
  const named = `${WORDS[key]}.${value}`;
  return key in WORDS && knows(named) ? t(named) : String(value);
}
