// One live stream for all tabs of a collector: the tab that has the lock (Web Locks) holds it and tells the others (BroadcastChannel).
// When that tab closes, or cannot get through, the next one takes over where it was left off. A tab that slept asks for the truth.

import { Stream } from "../stream.js";
import { Feed } from "./feed.js";

const BEAT = 5_000; // ms between looks at the clock: a longer pause was a sleep
const SLEPT = 20_000;
const STUCK = 20_000; // ms without a stream before another tab may try

/** The events of `Stream` (`message`, `state`, `resync`), in every tab; `state` is also told to tabs that come later. */
export class SharedStream extends EventTarget {
  #name;
  #connection;
  #channel = null;
  #stream = null; // in the tab that leads
  #feed = null;
  #last = null;
  #state = "connecting";
  #resign = null;
  #stopped = false;
  #welcomed = false; // whether the tab that leads has answered
  #awake = Date.now();
  #timers = [];

  /** `name` tells one collector's tabs from another's. */
  constructor(name, connection) {
    super();
    this.#name = `callbridge ${name}`;
    this.#connection = connection;
  }

  get leads() {
    return Boolean(this.#stream);
  }

  start() {
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.addEventListener("message", ({ data }) => this.#told(data));
    this.#timers.push(setInterval(() => this.#beat(), BEAT));
    addEventListener("online", () => this.#woke());
    addEventListener("pageshow", (event) => event.persisted && this.#woke());
    document.addEventListener("visibilitychange", () => document.hidden || this.#beat());
    this.#channel.postMessage({ type: "hello" });
    this.#queue();
  }

  stop() {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#resign?.();
    this.#channel?.close();
  }

  /** Begin again with what is there now: another token, another network. */
  restart() {
    this.#stream?.start();
  }

  #queue() {
    if (this.#stopped) return;
    // Pages without TLS have no locks, and some browsers keep them from frames: there each tab holds a stream of its own.
    if (!navigator.locks) return void this.#lead(false);
    navigator.locks.request(this.#name, () => (this.#stopped ? null : this.#lead(true))).catch(() => this.#lead(false));
  }

  /** Hold the stream until this tab closes, stops or is stuck; then the lock goes to the next one. */
  #lead(shared) {
    const stream = (this.#stream = new Stream(() => (this.#feed = new Feed(this.#connection, this.#feed?.lastEventId ?? this.#last))));
    const tell = (type, detail) => {
      if (this.#stream !== stream) return;
      this.#heard(type, detail);
      if (shared) this.#channel.postMessage({ type, detail, last: this.#last });
    };
    let stuck = null;
    for (const type of ["message", "state", "resync"]) stream.addEventListener(type, (event) => tell(type, event.detail));
    stream.addEventListener("state", ({ detail }) => {
      clearTimeout(stuck);
      if (detail === "lost" && shared) stuck = setTimeout(() => this.#resign?.(), STUCK);
    });
    stream.start();
    return new Promise((resolve) => {
      this.#resign = () => {
        clearTimeout(stuck);
        this.#resign = this.#stream = this.#feed = null;
        stream.stop();
        resolve();
        setTimeout(() => this.#queue(), 0); // behind those that wait already
      };
    });
  }

  #told({ type, detail, last, welcome }) {
    if (type === "hello") return this.leads && this.#channel.postMessage({ type: "state", detail: this.#state, last: this.#last, welcome: true });
    if (type === "wake") return this.#feed?.look();
    if (last) this.#last = last;
    this.#heard(type, detail);
    if (!welcome || this.#welcomed) return;
    this.#welcomed = true;
    this.#heard("resync"); // as a stream of its own does when it opens
  }

  #heard(type, detail) {
    if (type === "message" && detail.id) this.#last = String(detail.id);
    if (type === "state") this.#state = detail;
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #beat() {
    const gap = Date.now() - this.#awake;
    this.#awake = Date.now();
    if (gap > SLEPT) this.#woke();
  }

  /** What passed meanwhile may have been missed: everyone reads the state again, and whoever leads looks at its stream. */
  #woke() {
    if (this.#stopped) return;
    if (this.leads) this.#feed?.look();
    else this.#channel.postMessage({ type: "wake" });
    this.#heard("resync");
  }
}
