// Times, durations, amounts and numbers as people read them, in the page's language.

import { locale, t } from "./i18n.js";

const DAY = 86_400_000;

function format(date, options) {
  return new Intl.DateTimeFormat(locale(), { hourCycle: "h23", ...options }).format(date);
}

const dayOf = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();

/** A moment in the reader's own time: "14:05", "tomorrow 08:00", "Mon 23 Nov 08:00", with the year if it is another one. */
export function moment(iso, now = new Date()) {
  const date = new Date(iso);
  const time = format(date, { hour: "2-digit", minute: "2-digit" });
  const days = Math.round((dayOf(date) - dayOf(now)) / DAY);
  if (days === 0) return time;
  if (Math.abs(days) === 1) {
    const day = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" }).format(days, "day");
    return `${day} ${time}`;
  }
  const year = date.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return `${format(date, { weekday: "short", day: "numeric", month: "short", year })} ${time}`;
}

/** A day of the calendar, given as YYYY-MM-DD. */
export function day(iso) {
  const [year, month, date] = iso.split("-").map(Number);
  return format(new Date(year, month - 1, date), { day: "numeric", month: "short", year: "numeric" });
}

/** The exact moment with its date and seconds, for a tooltip. */
export const exact = (iso) => format(new Date(iso), { dateStyle: "full", timeStyle: "long" });

/** The exact moment with its date and seconds, short enough for a table. */
export const stamp = (iso) => format(new Date(iso), { dateStyle: "medium", timeStyle: "medium" });

/** The time in another zone with the zone's name, or null where clocks there show the same as here. */
export function elsewhere(iso, zone) {
  const date = new Date(iso);
  const clock = { year: "numeric", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit" };
  try {
    if (format(date, { ...clock, timeZone: zone }) === format(date, clock)) return null;
    const time = format(date, { hour: "2-digit", minute: "2-digit", weekday: "short", timeZone: zone });
    return { time, zone: zoneName(date, zone) };
  } catch {
    return null; // a zone that this browser does not know
  }
}

function zoneName(date, timeZone) {
  const parts = new Intl.DateTimeFormat(locale(), { timeZone, timeZoneName: "longGeneric" }).formatToParts(date);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? timeZone;
}

/** Seconds as 0:42, 12:05 or 1:02:03. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
  const hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${parts.join(":")}` : `${Number(parts[0])}:${parts[1]}`;
}

/** Whole days since a moment: 0 today, 1 yesterday. */
export const daysSince = (iso, now = new Date()) => Math.max(0, Math.round((dayOf(now) - dayOf(new Date(iso))) / DAY));

/** How long ago, by the day: "today", "yesterday", "3 days ago". */
export function age(iso) {
  if (!iso) return t("cases.never");
  return new Intl.RelativeTimeFormat(locale(), { numeric: "auto" }).format(-daysSince(iso), "day");
}

/** An amount of money; without a known currency only the number. */
export function amount(value, currency) {
  const options = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  if (/^[A-Z]{3}$/.test(currency ?? "")) Object.assign(options, { style: "currency", currency });
  return Number.isFinite(Number(value)) ? new Intl.NumberFormat(locale(), options).format(Number(value)) : String(value);
}

/** A phrase as it stands alone: with a capital letter. */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** An E.164 number in groups that the eye can hold; the digits stay as they are. */
export function phoneNumber(e164) {
  const mainland = /^\+86(1\d{2})(\d{4})(\d{4})$/.exec(e164);
  const america = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(e164);
  if (mainland) return `+86 ${mainland.slice(1).join(" ")}`;
  if (america) return `+1 ${america.slice(1).join(" ")}`;
  return e164;
}
