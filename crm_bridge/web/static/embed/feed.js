// Server-sent events (WHATWG HTML, 9.2) read with fetch: unlike an EventSource it can send a token, and it knows when it is dead.

import { address, credentials } from "../api.js";
import { problemOf } from "./connection.js";

const SILENCE = 40_000; // ms: the service says something every 15 s
const LOOK = 5_000;

/** Behaves like an EventSource that never reconnects: `open`, one event a kind, `error` at its end. `problem` says why. */
export class Feed extends EventTarget {
  readyState = EventSource.CONNECTING;
  problem = null;
  lastEventId;
  #abort = new AbortController();
  #heard = Date.now();
  #watch;

  constructor(connection, lastEventId = null) {
    super();
    this.lastEventId = lastEventId;
    this.#watch = setInterval(() => this.look(), LOOK);
    this.#run(connection);
  }

  close() {
    this.readyState = EventSource.CLOSED;
    clearInterval(this.#watch);
    this.#abort.abort();
  }

  /** End it when nothing has come for too long: after a sleep the other end is gone without a word. */
  look() {
    if (Date.now() - this.#heard > SILENCE) this.#abort.abort();
  }

  async #run(connection) {
    try {
      let response = await this.#ask();
      if (response.status === 401) {
        this.problem = await problemOf(response);
        if (await connection.renew(this.problem)) response = await this.#ask();
      }
      if (!response.ok) {
        this.problem = this.problem ?? (await problemOf(response));
        throw this.problem;
      }
      this.problem = null;
      this.readyState = EventSource.OPEN;
      this.dispatchEvent(new Event("open"));
      await this.#read(response.body.pipeThrough(new TextDecoderStream()).getReader());
    } catch {
      // Whoever opened it hears that it is over, and opens another one.
    }
    if (this.readyState === EventSource.CLOSED) return;
    this.close();
    this.dispatchEvent(new Event("error"));
  }

  #ask() {
    const { headers, ...rest } = credentials();
    const after = this.lastEventId ? { "Last-Event-ID": this.lastEventId } : {};
    return fetch(address("/v1/events"), { ...rest, headers: { ...headers, ...after, Accept: "text/event-stream" }, cache: "no-store", signal: this.#abort.signal });
  }

  async #read(reader) {
    let rest = "";
    let event = { kind: "message", data: [] };
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#heard = Date.now();
      const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) event = this.#take(line, event);
    }
  }

  #take(line, event) {
    if (line === "") {
      if (event.data.length) this.dispatchEvent(new MessageEvent(event.kind, { data: event.data.join("\n"), lastEventId: this.lastEventId ?? "" }));
      return { kind: "message", data: [] };
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "data") event.data.push(value);
    else if (field === "event") event.kind = value;
    else if (field === "id") this.lastEventId = value;
    return event;
  }
}
