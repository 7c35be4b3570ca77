// What the page of the trunks asks of /v1. What is tried on the telephone system takes its time.

import { request } from "./api.js";

const id = encodeURIComponent;
const LONG = 120_000; // ms
const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value));

export const trunks = {
  list: () => request("GET", "/v1/trunks?limit=500"),
  plan: (name, body, known) => save(name, body, known, "?dry_run=true"),
  save: (name, body, known) => save(name, body, known, ""),
  test: (name) => request("POST", `/v1/trunks/${id(name)}/test`, { patience: LONG }),
  act: (name, what, reason) => request("POST", `/v1/trunks/${id(name)}/${what}`, { body: { reason } }),
  remove: (name, reason) => request("DELETE", `/v1/trunks/${id(name)}?${query({ reason })}`, { patience: LONG }),
};

function save(name, body, known, dry) {
  if (known) return request("PATCH", `/v1/trunks/${id(name)}${dry}`, { body, patience: LONG });
  return request("POST", `/v1/trunks${dry}`, { body: { name, ...body }, patience: LONG });
}

export const pools = {
  list: () => request("GET", "/v1/caller-id-pools"),
  save: (name, body) => request("PUT", `/v1/caller-id-pools/${id(name)}`, { body }),
  remove: (name, reason) => request("DELETE", `/v1/caller-id-pools/${id(name)}?${query({ reason })}`),
  numbers: () => request("GET", "/v1/caller-ids?days=7"),
};
