// What the desk and the admin's page ask about inbound calls: what rings, whom to call back, and where calls go.

import { request } from "./api.js";

const id = encodeURIComponent;
const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ""));

export const inbound = {
  waiting: () => request("GET", "/v1/inbound-calls"),
  callBacks: () => request("GET", "/v1/call-backs?mine=true"),
  close: (taskId, reason) => request("POST", `/v1/call-backs/${id(taskId)}/close`, { body: { reason } }),
};

export const routes = {
  list: () => request("GET", "/v1/inbound-routes?limit=500"),
  save: (did, body) => request("PUT", `/v1/inbound-routes/${id(did)}`, { body }),
  remove: (did, reason) => request("DELETE", `/v1/inbound-routes/${id(did)}?${query({ reason })}`),
  preview: (values) => request("GET", `/v1/inbound-routes/preview?${query(values)}`),
};

export const groups = {
  list: () => request("GET", "/v1/groups?limit=500"),
  create: (body) => request("POST", "/v1/groups", { body }),
  save: (name, body) => request("PUT", `/v1/groups/${id(name)}`, { body }),
  remove: (name, reason) => request("DELETE", `/v1/groups/${id(name)}?${query({ reason })}`),
};
