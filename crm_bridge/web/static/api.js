// Talking to /v1: JSON in and out, problems (RFC 9457) as one class, "no answer" as another.

import { knows, reasonOf, t } from "./i18n.js";

const PATIENCE = 10_000; // ms; the service answers a call within 5 s, with state `unknown` at worst
let clockOffset = 0;

/** The service said no: `code` is the last part of the problem's type, `members` the whole document. */
export class Problem extends Error {
  constructor(status, members) {
    super(members.detail ?? members.title ?? String(status));
    this.status = status;
    this.members = members;
    this.code = String(members.type ?? "").split("/").pop();
  }
}

/** No answer came, so nobody knows whether the request was carried out. */
export class NoAnswer extends Error {}

/** The service's clock, to which call times belong, in ms. */
export const serviceNow = () => Date.now() + clockOffset;

let remote = null;

/** Talk to the service from a page that is not its own: `to` is {url, headers(), renew()}; see embed/connection.js. */
export function connect(to) {
  remote = to;
}

/** The whole address of a path of the service's. */
export const address = (path) => `${remote?.url ?? ""}${path}`;

/** What goes with every request from another page: its token, and never a cookie. */
export const credentials = () => (remote ? { headers: remote.headers(), credentials: "omit" } : { headers: {} });

/** One request. `body` goes as JSON; `patience` is in ms; resolves to the answer's document, or null for 204. */
export async function request(method, path, options = {}) {
  try {
    return await ask(method, path, options);
  } catch (error) {
    // A 401 did nothing yet: with a new token the same request is made once more.
    if (error.status !== 401 || !remote || !(await remote.renew(error))) throw error;
    return ask(method, path, options);
  }
}

async function ask(method, path, { body, headers = {}, patience = PATIENCE }) {
  let response, text;
  try {
    const given = credentials();
    response = await fetch(address(path), {
      ...given,
      method,
      headers: { ...given.headers, ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(patience),
    });
    text = await response.text();
  } catch (error) {
    throw new NoAnswer(error.message);
  }
  noteClock(response.headers.get("Date"));
  if (response.ok) return text ? JSON.parse(text) : null;
  const problem = new Problem(response.status, problemMembers(text));
  if (problem.code === "password-change-required") location.replace(`/password?next=${encodeURIComponent(location.pathname + location.search)}`);
  if (response.status === 401 && path !== "/v1/session" && !remote) document.dispatchEvent(new CustomEvent("session-ended"));
  throw problem;
}

/** A file that the service makes while the request lasts, as a Blob; `patience` is in ms. */
export async function fetchFile(path, patience = 600_000) {
  let response;
  try {
    response = await fetch(path, { signal: AbortSignal.timeout(patience) });
    if (response.ok) return await response.blob();
  } catch (error) {
    throw new NoAnswer(error.message);
  }
  throw new Problem(response.status, problemMembers(await response.text()));
}

function noteClock(header) {
  const offset = Date.parse(header ?? "") - Date.now();
  // The header has whole seconds: only a real difference is worth a correction.
  if (Number.isFinite(offset)) clockOffset = Math.abs(offset) > 2_000 ? offset : 0;
}

function problemMembers(text) {
  try {
    const members = JSON.parse(text);
    return members && typeof members === "object" ? members : {};
  } catch {
    return {};
  }
}

/** What went wrong, in one sentence of the reader's language where there is one. */
export function explain(error) {
  if (error instanceof NoAnswer) return t("problem.no_answer");
  if (!(error instanceof Problem)) return t("problem.unexpected");
  const reason = reasonOf(error.members);
  if (reason) return reason;
  const key = `problem.${error.code}`;
  if (knows(key)) return t(key);
  return error.members.detail ?? error.members.title ?? t("problem.unexpected");
}

const id = encodeURIComponent;
const query = (values) =>
  new URLSearchParams(Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ""));

export const session = {
  get: () => request("GET", "/v1/session"),
  open: (name, password) => request("POST", "/v1/session", { body: { name, password } }),
  close: () => request("DELETE", "/v1/session"),
  language: (language) => request("PUT", "/v1/session/language", { body: { language } }),
  password: (old, fresh) => request("PUT", "/v1/session/password", { body: { old, new: fresh }, patience: 60_000 }),
};

export const cases = {
  list: (values) => request("GET", `/v1/cases?${query(values)}`),
  get: (caseId) => request("GET", `/v1/cases/${id(caseId)}`),
  notes: (caseId) => request("GET", `/v1/cases/${id(caseId)}/notes`),
  addNote: (caseId, text) => request("POST", `/v1/cases/${id(caseId)}/notes`, { body: { text } }),
  week: (caseId, number, partyId) => request("GET", `/v1/cases/${id(caseId)}/numbers/${id(number)}/week?${query({ party_id: partyId })}`),
  due: (mine) => request("GET", `/v1/work/due?${query({ mine: mine ? "true" : null })}`),
  calls: (caseId) => request("GET", `/v1/calls?${query({ case_id: caseId, limit: 50 })}`),
};

export const calls = {
  get: (callId) => request("GET", `/v1/calls/${id(callId)}`),
  open: () => request("GET", "/v1/calls?open=true&mine=true"),
  place: (body, key) => request("POST", body.case_id ? "/v1/calls" : "/v1/calls/by-number", { body, headers: { "Idempotency-Key": key } }),
  hangup: (callId) => request("POST", `/v1/calls/${id(callId)}/hangup`, { body: {} }),
  ...Object.fromEntries(
    Object.entries({
      hold: "hold", unhold: "unhold", mute: "mute", unmute: "unmute", pauseRecording: "pause-recording",
      resumeRecording: "resume-recording", completeTransfer: "transfer/complete", cancelTransfer: "transfer/cancel",
    }).map(([name, path]) => [name, (callId) => request("POST", `/v1/calls/${id(callId)}/${path}`, { body: {} })]),
  ),
  digits: (callId, digits) => request("POST", `/v1/calls/${id(callId)}/dtmf`, { body: { digits } }),
  transfer: (callId, body) => request("POST", `/v1/calls/${id(callId)}/transfer`, { body }),
  transferTargets: (callId) => request("GET", `/v1/calls/${id(callId)}/transfer-targets`),
  assign: (callId, caseId) => request("PUT", `/v1/calls/${id(callId)}/case`, { body: { case_id: caseId } }),
  dispose: (callId, body) => request("PUT", `/v1/calls/${id(callId)}/disposition`, { body }),
  audio: (callId) => `/v1/calls/${id(callId)}/audio?format=mp3`,
};

/** What is missing for calls to be placed and recorded, by component; empty when nothing is. */
export async function health() {
  try {
    return (await request("GET", "/readyz")).problems;
  } catch (error) {
    if (error instanceof Problem && error.members.problems) return error.members.problems;
    throw error;
  }
}

export const actionCodes = (client) => request("GET", `/v1/action-codes?${query({ client })}`);
