// What the replay desk, the incident desk and the retention page ask of /v1.

import { fetchFile, request } from "./api.js";

const id = encodeURIComponent;

/** Query parameters without those that were left empty. */
export const query = (values) =>
  new URLSearchParams(Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ""));

export const replay = {
  find: (values) => request("GET", `/v1/recorded-calls?${query(values)}`),
  peaks: (callId) => request("GET", `/v1/calls/${id(callId)}/peaks`),
  audio: (callId, reason) => `/v1/calls/${id(callId)}/audio?${query({ format: "flac", reason })}`,
  download: (callId, format, reason) => `/v1/calls/${id(callId)}/audio?${query({ format, reason, download: "true" })}`,
  comments: (callId) => request("GET", `/v1/recordings/${id(callId)}/comments`),
  comment: (callId, second, text) => request("POST", `/v1/recordings/${id(callId)}/comments`, { body: { at_second: second, text } }),
  uncomment: (callId, commentId) => request("DELETE", `/v1/recordings/${id(callId)}/comments/${id(commentId)}`),
};

export const incidents = {
  list: (values) => request("GET", `/v1/incidents?${query(values)}`),
  close: (incidentId, reason) => request("POST", `/v1/incidents/${id(incidentId)}/close`, { body: { reason } }),
};

export const retrievals = {
  list: (values) => request("GET", `/v1/retrievals?${query(values)}`),
  ask: (body) => request("POST", "/v1/retrievals", { body }),
  done: (retrievalId) => request("POST", `/v1/retrievals/${id(retrievalId)}/done`),
  bundles: (retrievalId) => fetchFile(`/v1/retrievals/${id(retrievalId)}/bundles`),
};

export const retention = {
  overview: () => request("GET", "/v1/retention"),
  classes: () => request("GET", "/v1/retention-classes"),
  save: (classId, body, dryRun) => request("PUT", `/v1/retention-classes/${id(classId)}?${query({ dry_run: dryRun ? "true" : "" })}`, { body }),
  run: (dryRun) => request("POST", `/v1/retention/run?${query({ dry_run: dryRun ? "true" : "" })}`),
  holds: (state) => request("GET", `/v1/holds?${query({ state, limit: 200 })}`),
  hold: (body) => request("POST", "/v1/holds", { body }),
  release: (holdId, reason) => request("DELETE", `/v1/holds/${id(holdId)}?${query({ reason })}`),
  receipts: () => request("GET", "/v1/deletion-receipts?limit=20"),
};
