// The live stream. EventSource resumes with Last-Event-ID by itself; when it gives up, a new one is opened and everyone
// is told to fetch the truth again, because what passed meanwhile was missed.

const KINDS = [
  "agent.state", "call.right_party", "screen_pop", "call.case", "call_back.due", "call_back.done", "call_back.dropped", "call.created", "call.state", "call.ended", "call.violation", "recording.ready", "recording.incident", "note.drafted",
  "note.synced", "note.failed", "case.suspended", "case.resumed", "case.updated", "case.state", "party.flagged", "party.agreed", "number.marked", "contact.recorded",
  "override.granted", "policy.changed", "complaint.opened", "complaint.closed", "complaint.acted", "complaint.noted",
  "complaint.escalated", "complaint.reopened", "complaint.instructed", "complaint.undone", "deadline.opened", "deadline.warning",
  "deadline.missed", "deadline.escalated", "deadline.done", "deadline.cancelled", "deadline.reassigned", "pbx.state", "trunk.state",
];
const GRACE = 1_500; // ms without a stream before anyone is told: a resume takes less

/** Events: `message` (detail: the event), `state` (detail: connecting | open | lost), `resync`. */
export class Stream extends EventTarget {
  #source = null;
  #retry = 1_000;
  #lost = null;
  #open;

  /** `open` makes a new source, an EventSource or what behaves like one. */
  constructor(open = () => new EventSource("/v1/events")) {
    super();
    this.#open = open;
  }

  start() {
    this.#source?.close();
    const source = (this.#source = this.#open());
    source.addEventListener("open", () => this.#opened());
    source.addEventListener("error", () => this.#failed(source));
    for (const kind of KINDS) source.addEventListener(kind, (message) => this.#received(kind, message));
  }

  stop() {
    this.#source?.close();
    this.#source = null;
  }

  #opened() {
    clearTimeout(this.#lost);
    this.#lost = null;
    this.#retry = 1_000;
    this.#tell("state", "open");
    this.#tell("resync");
  }

  #failed(source) {
    if (source !== this.#source) return;
    this.#lost ??= setTimeout(() => this.#tell("state", "lost"), GRACE);
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(() => source === this.#source && this.start(), this.#retry);
    this.#retry = Math.min(this.#retry * 2, 15_000);
  }

  #received(kind, message) {
    try {
      this.#tell("message", { ...JSON.parse(message.data), kind });
    } catch {
      this.#tell("resync"); // an event that cannot be read: ask for the truth instead
    }
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
