// What the desk asks about people: what a collector is doing, who answered a call, one masked item in full.

import { request } from "./api.js";

const id = encodeURIComponent;

export const agents = {
  get: (name) => request("GET", `/v1/agents/${id(name)}`),
  put: (name, state, reason = null) => request("PUT", `/v1/agents/${id(name)}/state`, { body: { state, reason } }),
};

export const rightParty = {
  get: (callId) => request("GET", `/v1/calls/${id(callId)}/right-party`),
  say: (callId, body) => request("POST", `/v1/calls/${id(callId)}/right-party`, { body }),
};

export const reveal = (what, reason) => request("POST", "/v1/reveals", { body: { what, reason } });
