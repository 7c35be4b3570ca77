// The sound of one call: playing, speed, silence skipped, and which side is heard. Fires `time` and `state`.

const SKIP_AT_LEAST = 0.4; // seconds worth a jump
const LEAD = 0.15; // seconds before the next word

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];
export const SIDES = ["both", "ours", "theirs"];

export class ReplayAudio extends EventTarget {
  element = new Audio();
  skipSilence = false;
  silences = [];
  side = "both";
  speed = 1;
  #graph = null;
  #frame = null;

  constructor() {
    super();
    this.element.preload = "auto";
    for (const type of ["play", "pause", "ended", "error", "waiting", "playing", "loadedmetadata"]) {
      this.element.addEventListener(type, () => this.#changed());
    }
    this.element.addEventListener("seeked", () => this.#tell("time"));
  }

  /** Take another call's sound; nothing is fetched before it is played or sought. */
  load(url, length) {
    this.length = length;
    this.element.pause();
    this.element.preload = "none";
    this.element.src = url;
    this.element.playbackRate = this.speed;
    this.started = false;
    this.wanted = 0;
    this.#changed();
  }

  /** Nothing is shown any more. */
  unload() {
    this.element.pause();
    this.element.removeAttribute("src");
    this.element.load();
  }

  get playing() {
    return !this.element.paused && !this.element.ended;
  }

  get failed() {
    return Boolean(this.element.error && this.element.getAttribute("src"));
  }

  get position() {
    return this.started ? this.element.currentTime : this.wanted;
  }

  async toggle() {
    if (this.playing) return this.element.pause();
    if (this.element.ended) this.element.currentTime = 0;
    this.#begin();
    await this.element.play().catch(() => {}); // what went wrong is told by `error`
    this.element.playbackRate = this.speed;
  }

  seek(second) {
    const to = Math.min(Math.max(0, second), this.length);
    if (this.started) this.element.currentTime = to;
    else this.wanted = to;
    this.#tell("time");
  }

  setSpeed(speed) {
    this.speed = this.element.playbackRate = speed;
    this.#changed();
  }

  /** Hear both sides (each on its own ear), or one of them on both. */
  setSide(side) {
    this.side = side;
    if (side !== "both" || this.#graph) this.#route();
    this.#changed();
  }

  #begin() {
    this.#graph?.context.resume();
    if (this.started) return;
    this.started = true;
    if (this.wanted) this.element.currentTime = this.wanted;
  }

  #route() {
    if (!this.#graph) {
      const context = new AudioContext();
      const splitter = context.createChannelSplitter(2);
      const merger = context.createChannelMerger(2);
      context.createMediaElementSource(this.element).connect(splitter);
      merger.connect(context.destination);
      this.#graph = { context, splitter, merger };
    }
    const { context, splitter, merger } = this.#graph;
    splitter.disconnect();
    const routes = { both: [[0, 0], [1, 1]], ours: [[0, 0], [0, 1]], theirs: [[1, 0], [1, 1]] };
    for (const [from, to] of routes[this.side]) splitter.connect(merger, from, to);
    if (this.playing) context.resume();
  }

  #changed() {
    cancelAnimationFrame(this.#frame);
    if (this.playing) this.#tick();
    this.#tell("state");
    this.#tell("time");
  }

  #tick() {
    if (this.skipSilence) this.#skip();
    this.#tell("time");
    this.#frame = requestAnimationFrame(() => this.playing && this.#tick());
  }

  #skip() {
    const now = this.element.currentTime;
    const silence = this.silences.find(([from, to]) => from + LEAD <= now && now < to - LEAD - SKIP_AT_LEAST);
    if (silence && !this.element.seeking) this.element.currentTime = silence[1] - LEAD;
  }

  #tell(type) {
    this.dispatchEvent(new Event(type));
  }
}
