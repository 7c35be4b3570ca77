// The way to the service from a page of another origin: where it is, a token that is renewed when it has expired, and nothing else.

import { Problem, connect } from "../api.js";

/** Fires `token-expired` (detail: the problem) whenever a token was refused, then `token` (detail: whether there is another). */
export class Connection extends EventTarget {
  #token;
  #provider;
  #embeddedIn;
  #renewing = null;

  /** `tokenProvider` is a function of the page's that asks its own server; it gives a token, or {token}. */
  constructor({ url, token, tokenProvider, embeddedIn }) {
    super();
    this.url = url;
    this.#token = token ?? null;
    this.#provider = tokenProvider ?? null;
    this.#embeddedIn = embeddedIn ?? null;
    connect({ url, headers: () => this.headers(), renew: (error) => this.renew(error) });
  }

  /** A token before the first request, where only its provider was given. */
  async ready() {
    if (!this.#token && this.#provider) this.#token = tokenOf(await this.#provider());
    if (!this.#token) throw new TypeError("CallBridge.init needs a token, or a tokenProvider that gives one");
  }

  set token(token) {
    this.#token = token;
  }

  headers() {
    const frame = this.#embeddedIn ? { "X-Embedded-In": this.#embeddedIn } : {};
    return { Authorization: `Bearer ${this.#token}`, ...frame };
  }

  /** Whether there is another token now; many requests that fail at once ask for one. */
  renew(error) {
    this.#renewing ??= this.#another(error).finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  async #another(error) {
    const refused = this.#token;
    this.dispatchEvent(new CustomEvent("token-expired", { detail: error }));
    // Where it fails the page's own server is away, or its user has logged out.
    const given = this.#provider ? await Promise.resolve(this.#provider()).catch(() => null) : null;
    this.#token = tokenOf(given) ?? this.#token;
    const good = this.#token !== refused;
    this.dispatchEvent(new CustomEvent("token", { detail: good }));
    return good;
  }

  /** Whether the service lets pages of this origin in: the browser hides that from a request that was refused. */
  async isAllowed() {
    try {
      const answer = await fetch(`${this.url}/embed/origin`, { credentials: "omit" });
      return (await answer.json()).allowed || new URL(this.url).origin === location.origin;
    } catch {
      return null; // the service cannot be reached at all
    }
  }
}

const tokenOf = (given) => (typeof given === "string" ? given : (given?.token ?? null));

/** The problem of a response that is none of the expected ones. */
export async function problemOf(response) {
  const members = await response.json().catch(() => ({}));
  return new Problem(response.status, members);
}
