// Placing a call once. A click is one intention with one Idempotency-Key: while nobody knows whether the request arrived
// it is sent again with the same key, which the service answers with the first call, never with a second one.

import { NoAnswer, Problem, calls } from "./api.js";

const PAUSES = [300, 1_000, 2_500]; // ms between tries

/** A click on a number. */
export function intention(target) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const key = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { key, ...target };
}

/** The call's document; throws `Problem` when it was refused, `NoAnswer` when it is still not known after all tries. */
export async function place({ key, caseId, partyId, number }, onRetry = () => {}) {
  const body = caseId ? { case_id: caseId, party_id: partyId, number } : { number };
  for (const pause of [...PAUSES, null]) {
    try {
      return await calls.place(body, key);
    } catch (error) {
      if (pause === null || !isUnsettled(error)) throw asUnknown(error);
      onRetry();
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/** No answer, a proxy's error in place of one, or "the first request with this key is still being answered". */
function isUnsettled(error) {
  if (error instanceof NoAnswer) return true;
  if (!(error instanceof Problem)) return false;
  return [502, 504].includes(error.status) || (error.status === 409 && error.code === "idempotency-conflict");
}

const asUnknown = (error) => (isUnsettled(error) ? new NoAnswer(error.message) : error);
