// What the page of deliveries asks: who is told what, what waits, dead letters, webhooks and their secrets.

import { request } from "./api.js";

const id = encodeURIComponent;
const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ""));

export const destinations = {
  list: () => request("GET", "/v1/destinations"),
  tries: (destination) => request("GET", `/v1/destinations/${id(destination)}/tries?limit=20`),
  replay: (destination, reason) => request("POST", `/v1/destinations/${id(destination)}/replay`, { body: { reason } }),
  enable: (destination, reason) => request("POST", `/v1/destinations/${id(destination)}/enable`, { body: { reason } }),
  disable: (destination, reason) => request("POST", `/v1/destinations/${id(destination)}/disable`, { body: { reason } }),
};

export const deliveries = {
  list: (values) => request("GET", `/v1/deliveries?${query(values)}`),
  get: (delivery) => request("GET", `/v1/deliveries/${id(delivery)}`),
  replay: (delivery, reason) => request("POST", `/v1/deliveries/${id(delivery)}/replay`, { body: { reason } }),
  drop: (delivery, reason) => request("POST", `/v1/deliveries/${id(delivery)}/drop`, { body: { reason } }),
};

export const webhooks = {
  list: () => request("GET", "/v1/webhooks?limit=500"),
  create: (body) => request("POST", "/v1/webhooks", { body }),
  change: (webhook, body) => request("PATCH", `/v1/webhooks/${id(webhook)}`, { body }),
  remove: (webhook) => request("DELETE", `/v1/webhooks/${id(webhook)}`),
  rotate: (webhook) => request("POST", `/v1/webhooks/${id(webhook)}/rotate`, { body: {} }),
  ping: (webhook) => request("POST", `/v1/webhooks/${id(webhook)}/ping`, { patience: 40_000 }),
};
