// What the floor, the reports and the page of reviews ask of /v1.

import { request } from "./api.js";
import { query } from "./oversight-api.js";

const id = encodeURIComponent;
const PATIENCE = 60_000; // ms; a year of calls takes a while to count

export const reports = {
  offered: () => request("GET", "/v1/reports"),
  get: (name, values) => request("GET", `/v1/reports/${id(name)}?${query(values)}`, { patience: PATIENCE }),
  file: (name, values) => `/v1/reports/${id(name)}?${query(values)}`,
};

export const keptReports = {
  list: (limit) => request("GET", `/v1/period-reports?${query({ limit })}`),
  get: (reportId) => request("GET", `/v1/period-reports/${id(reportId)}`),
  file: (reportId, values) => `/v1/period-reports/${id(reportId)}?${query(values)}`,
};

export const floor = {
  all: async () => {
    const items = [];
    let cursor = null;
    do {
      const page = await request("GET", `/v1/floor?${query({ cursor, limit: 500 })}`);
      items.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor);
    return items;
  },
  listen: (callId, mode) => request("POST", `/v1/calls/${id(callId)}/listen`, { body: { mode } }),
  leave: (callId) => request("DELETE", `/v1/calls/${id(callId)}/listen`),
};

export const audits = {
  forms: async () => (await request("GET", "/v1/qa/forms")).items,
  samples: async () => (await request("GET", "/v1/qa/samples?limit=30")).items,
  draw: (body) => request("POST", "/v1/qa/samples", { body }),
  reviews: async (callId) => (await request("GET", `/v1/qa/reviews?${query({ call_id: callId })}`)).items,
  review: (body) => request("POST", "/v1/qa/reviews", { body }),
};
