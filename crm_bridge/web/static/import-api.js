// What the page of imports asks of /v1, and the sending of a file.

import { Problem, request } from "./api.js";
import { query } from "./oversight-api.js";

const id = encodeURIComponent;

export const imports = {
  list: () => request("GET", "/v1/imports?limit=30"),
  get: (importId) => request("GET", `/v1/imports/${id(importId)}`),
  rows: (importId, values) => request("GET", `/v1/imports/${id(importId)}/rows?${query(values)}`),
  look: (importId, body) => request("POST", `/v1/imports/${id(importId)}/look`, { body }),
  check: (importId, body) => request("POST", `/v1/imports/${id(importId)}/check`, { body }),
  run: (importId, body) => request("POST", `/v1/imports/${id(importId)}/run`, { body }),
  cancel: (importId, reason) => request("POST", `/v1/imports/${id(importId)}/cancel`, { body: { reason } }),
  extend: (importId, reason) => request("POST", `/v1/imports/${id(importId)}/extend`, { body: { reason } }),
  confirm: (importId, to) => request("POST", `/v1/imports/${id(importId)}/confirm`, { body: { to } }),
  mappings: () => request("GET", "/v1/import-mappings"),
  paper: (importId, what, values) => `/v1/imports/${id(importId)}/${what}?${query(values)}`,
};

/** Send a file as it is, however long that takes; `progress(share)` is told from 0 to 1. */
export function send(client, file, progress) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("POST", `/v1/imports?${query({ client, file_name: file.name })}`);
    sending.setRequestHeader("Content-Type", "application/octet-stream");
    sending.upload.addEventListener("progress", (event) => progress(event.total ? event.loaded / event.total : 0));
    sending.addEventListener("load", () => {
      const document_ = parsed(sending.responseText);
      if (sending.status === 201) resolve(document_);
      else reject(new Problem(sending.status, document_));
    });
    sending.addEventListener("error", () => reject(new Problem(0, { type: "/problems/no_answer" })));
    sending.send(file);
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
