// What a call document means: which of two is later, where its legs stand, how it ended. No page in here.

const TIMES = ["created_at", "calling_agent_at", "calling_customer_at", "alerted_at", "connected_at", "unknown_at", "ended_at"];

export const isLive = (call) => Boolean(call) && call.state !== "ended";

const latest = (call) => Math.max(...TIMES.map((name) => Date.parse(call[name] ?? "") || 0));

/**
 * Whether `incoming` should be shown instead of `current`. Answers and events cross on the way: a document never
 * replaces a later one of the same call, and another call takes over only while it lives.
 */
export function supersedes(incoming, current) {
  if (!current) return true;
  if (incoming.id !== current.id) return isLive(incoming) && (!isLive(current) || incoming.created_at > current.created_at);
  if (!isLive(current)) return !isLive(incoming);
  return latest(incoming) >= latest(current);
}

/** Whether hold, mute and the like make sense: both ends are on the line. */
export const canControl = (call) => ["connected", "held"].includes(call?.state);

/** Whether nothing is recorded at present. */
export const isPaused = (call) => Boolean(call?.paused_until);

/** The transfer that is not over yet, or null. */
export const transferOf = (call) => (["ringing", "consulting"].includes(call?.transfer?.state) ? call.transfer : null);

/** Whether the call is this collector's now: who has handed it on has it no more. */
export function isMine(call, me) {
  const has = call.current_agent === undefined ? call.agent : call.current_agent;
  return has === me || (!isLive(call) && call.agent === me);
}

/** Where the collector's own phone stands: waiting, ringing, answered, unanswered, busy, over, unknown. */
export function agentLeg(call) {
  const answered = Boolean(call.calling_customer_at || call.connected_at);
  if (call.state === "ended") {
    if (call.end_reason === "agent_no_answer") return "unanswered";
    if (call.end_reason === "agent_busy") return "busy";
    return answered || call.end_reason === "denied_at_dial" ? "over" : "unreached"; // the gate asks once we have answered
  }
  if (answered) return "answered";
  return { queued: "waiting", calling_agent: "ringing", unknown: "unknown" }[call.state] ?? "answered";
}

/** Where the customer's leg stands: waiting, dialling, ringing, talking, held, over, or how it failed. */
export function customerLeg(call) {
  if (call.state === "ended") {
    if (call.connected_at) return "over";
    if (call.end_reason === "denied_at_dial") return "denied";
    return call.calling_customer_at ? (call.alerted_at ? "unanswered" : "unreached") : "undialled";
  }
  if (call.state === "unknown") return "unknown";
  if (call.state === "calling_customer") return call.alerted_at ? "ringing" : "dialling";
  return { connected: "talking", held: "held" }[call.state] ?? "waiting";
}

/** The catalogue key of how the call ended. The customer's side is more telling than the reason where both are known. */
export function endingKey(call) {
  if (["not_in_service", "voicemail", "dropped"].includes(call.outcome)) return `ending.${call.outcome}`;
  return `ending.${call.end_reason ?? "unknown"}`;
}

/** good, neutral, warn or bad: the colour that goes with the words of the ending. */
export function endingTone(call) {
  if (call.end_reason === "completed") return call.outcome === "dropped" ? "warn" : "good";
  if (["denied_at_dial", "failed", "lost"].includes(call.end_reason)) return "bad";
  return "neutral";
}

/** The outcomes that a collector may still tell of a call: an answered one stays answered, one never placed has none. */
export function possibleOutcomes(call) {
  if (call.outcome === "not_placed") return [];
  if (call.connected_at) return ["conversation", "voicemail", "not_in_service", "dropped"];
  return ["no_answer", "busy", "rejected", "not_in_service", "voicemail"];
}

/** Seconds of conversation so far, or of waiting when nobody has answered; `now` in ms. */
export function elapsed(call, now) {
  const end = call.ended_at ? Date.parse(call.ended_at) : now;
  const start = call.connected_at ?? (call.ended_at ? call.ended_at : call.created_at);
  return Math.max(0, (end - Date.parse(start)) / 1000);
}

/** Whether there is something to listen to. */
export const isRecorded = (call) => (call.recordings ?? []).some((one) => ["stored", "archived"].includes(one.state));
