// The two-channel waveform of a call: our side above, theirs below, with its regions, comments and where it plays.
// Fires `seek` (detail: seconds). Drawn once a change into a picture of its own; a frame only adds the playing line.

import { h } from "./dom.js";
import { duration } from "./format.js";
import { onLanguage, t } from "./i18n.js";

const LANES = ["--accent", "--info"];
const TONES = { dead_air: "--line-strong", hold: "--warn", mute: "--info", pause: "--bad" };
const CLOSEST = 5; // seconds that fill the width at the nearest zoom
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600];

export class WaveForm extends HTMLElement {
  #wave = null;
  #levels = [];
  #comments = [];
  #position = 0;
  #view = [0, 1];
  #picture = document.createElement("canvas");
  #parts = null;

  connectedCallback() {
    if (this.#parts) return;
    const main = h("canvas", { class: "wave-main" });
    const overview = h("canvas", { class: "wave-overview", "aria-hidden": "true" });
    this.#parts = { main, overview };
    this.setAttribute("role", "slider");
    this.tabIndex = 0;
    main.addEventListener("pointerdown", (event) => this.#dragged(event, main, this.#view));
    overview.addEventListener("pointerdown", (event) => this.#dragged(event, overview, [0, this.#length]));
    main.addEventListener("wheel", (event) => this.#wheeled(event), { passive: false });
    this.append(main, overview);
    this.resized = new ResizeObserver(() => this.#redraw());
    this.resized.observe(this);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.scheme.addEventListener("change", () => this.#redraw());
    onLanguage(() => this.#describe());
  }

  get #length() {
    return this.#wave?.duration || 1;
  }

  /** Show a call's waveform (the document of …/peaks). */
  show(wave) {
    this.#wave = wave;
    // Speech is far below full scale: each side is drawn in proportion to its own loudest moments.
    this.#levels = wave.channels.map((values) => {
      const loud = [...values].sort((one, other) => one - other)[Math.floor(values.length * 0.995)] || 1;
      return values.map((value) => Math.min(1, value / loud) ** 0.7);
    });
    this.#comments = [];
    this.#position = 0;
    this.#view = [0, this.#length];
    this.#redraw();
  }

  /** Mark these seconds with pins. */
  mark(comments) {
    this.#comments = comments;
    this.#redraw();
  }

  /** Move the playing line; while it plays the view turns the page with it. */
  move(seconds, playing = false) {
    this.#position = seconds;
    const [from, to] = this.#view;
    if (playing && (seconds < from || seconds > to)) this.#look(seconds - (to - from) * 0.05, to - from);
    else this.#frame();
    this.#describe();
  }

  /** Nearer (above 1) or farther, around the playing line. */
  zoom(factor) {
    const [from, to] = this.#view;
    const width = Math.min(this.#length, Math.max(CLOSEST, (to - from) / factor));
    const share = Math.min(1, Math.max(0, (this.#position - from) / (to - from)));
    this.#look(this.#position - width * share, width);
  }

  #look(from, width) {
    const start = Math.min(Math.max(0, from), this.#length - width);
    this.#view = [start, start + width];
    this.#redraw();
  }

  #dragged(event, canvas, [from, to]) {
    if (event.button > 0 || !this.#wave) return;
    const seek = ({ clientX }) => {
      const box = canvas.getBoundingClientRect();
      const second = from + ((clientX - box.left) / box.width) * (to - from);
      this.dispatchEvent(new CustomEvent("seek", { detail: Math.min(this.#length, Math.max(0, second)) }));
    };
    canvas.setPointerCapture(event.pointerId);
    canvas.addEventListener("pointermove", seek);
    canvas.addEventListener("pointerup", () => canvas.removeEventListener("pointermove", seek), { once: true });
    seek(event);
  }

  #wheeled(event) {
    if (!event.ctrlKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return; // the page scrolls
    event.preventDefault();
    const [from, to] = this.#view;
    if (event.ctrlKey) this.zoom(event.deltaY < 0 ? 1.25 : 0.8);
    else this.#look(from + ((to - from) * event.deltaX) / 800, to - from);
  }

  #describe() {
    if (!this.#wave) return;
    this.setAttribute("aria-label", t("replay.position"));
    this.setAttribute("aria-valuemin", "0");
    this.setAttribute("aria-valuemax", String(Math.round(this.#length)));
    this.setAttribute("aria-valuenow", String(Math.round(this.#position)));
    this.setAttribute("aria-valuetext", t("replay.at_of", { at: duration(this.#position), of: duration(this.#length) }));
  }

  // ---- drawing

  #redraw() {
    if (!this.#wave || !this.clientWidth) return;
    for (const canvas of [this.#parts.main, this.#parts.overview]) fit(canvas);
    this.#picture.width = this.#parts.main.width;
    this.#picture.height = this.#parts.main.height;
    this.#draw(this.#picture, this.#view, true);
    this.#frame();
    this.#describe();
  }

  #frame() {
    const { main, overview } = this.#parts;
    if (!this.#wave || !main.width) return;
    const pen = main.getContext("2d");
    pen.clearRect(0, 0, main.width, main.height);
    pen.drawImage(this.#picture, 0, 0);
    this.#line(pen, main, this.#view, 2);
    this.#draw(overview, [0, this.#length], false);
    const small = overview.getContext("2d");
    const scale = overview.width / this.#length;
    small.strokeStyle = this.#colour("--text");
    small.lineWidth = devicePixelRatio;
    if (this.#view[1] - this.#view[0] < this.#length) {
      small.strokeRect(this.#view[0] * scale, 0.5, (this.#view[1] - this.#view[0]) * scale, overview.height - 1);
    }
    this.#line(small, overview, [0, this.#length], 2);
  }

  #line(pen, canvas, [from, to], width) {
    const x = ((this.#position - from) / (to - from)) * canvas.width;
    pen.fillStyle = this.#colour("--bad");
    pen.fillRect(Math.round(x) - (width * devicePixelRatio) / 2, 0, width * devicePixelRatio, canvas.height);
  }

  #draw(canvas, [from, to], inFull) {
    const pen = canvas.getContext("2d");
    const { width, height } = canvas;
    const x = (second) => ((second - from) / (to - from)) * width;
    pen.clearRect(0, 0, width, height);
    for (const region of this.#wave.regions ?? []) {
      pen.globalAlpha = 0.22;
      pen.fillStyle = this.#colour(TONES[region.kind] ?? "--line");
      pen.fillRect(x(region.start), 0, Math.max(1, x(region.end) - x(region.start)), height);
    }
    pen.globalAlpha = 1;
    const foot = inFull ? 18 * devicePixelRatio : 0;
    const lane = (height - foot) / this.#levels.length;
    this.#levels.forEach((values, side) => this.#lane(pen, values, [from, to], width, lane * (side + 0.5), lane / 2 - 2, LANES[side]));
    if (!inFull) return;
    this.#ruler(pen, [from, to], width, height);
    for (const comment of this.#comments) this.#pin(pen, x(comment.at_second));
  }

  #lane(pen, values, [from, to], width, middle, reach, tone) {
    const perSecond = this.#wave.per_second;
    const each = ((to - from) * perSecond) / width;
    pen.fillStyle = this.#colour("--line");
    pen.fillRect(0, middle, width, 1);
    pen.fillStyle = this.#colour(tone);
    for (let column = 0; column < width; column += 1) {
      const first = Math.floor(from * perSecond + column * each);
      const last = Math.max(first + 1, Math.floor(from * perSecond + (column + 1) * each));
      let loudest = 0;
      for (let at = first; at < last && at < values.length; at += 1) if (values[at] > loudest) loudest = values[at];
      const tall = Math.max(loudest * reach, loudest > 0 ? 0.5 : 0);
      if (tall) pen.fillRect(column, middle - tall, 1, tall * 2);
    }
  }

  #ruler(pen, [from, to], width, height) {
    const step = STEPS.find((one) => ((to - from) / one) * 70 * devicePixelRatio <= width) ?? 7200;
    pen.fillStyle = this.#colour("--muted");
    pen.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    for (let second = Math.ceil(from / step) * step; second <= to; second += step) {
      const x = ((second - from) / (to - from)) * width;
      pen.fillRect(x, height - 18 * devicePixelRatio, 1, 4 * devicePixelRatio);
      pen.fillText(duration(second), x + 4 * devicePixelRatio, height - 5 * devicePixelRatio);
    }
  }

  #pin(pen, x) {
    const size = 5 * devicePixelRatio;
    pen.fillStyle = this.#colour("--text");
    pen.beginPath();
    pen.arc(x, size + 1, size, 0, Math.PI * 2);
    pen.fill();
    pen.fillRect(x - devicePixelRatio / 2, size, devicePixelRatio, size * 3);
  }

  #colour(name) {
    return getComputedStyle(this).getPropertyValue(name).trim();
  }
}

function fit(canvas) {
  canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
  canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
}

/** Where neither side is heard for at least so long: [[from, to], …] in seconds. */
export function silences(wave, atLeast) {
  const quiet = 2.5 / 255;
  const found = [];
  const [ours, theirs] = wave.channels;
  let since = null;
  for (let at = 0; at <= ours.length; at += 1) {
    const silent = at < ours.length && ours[at] <= quiet && theirs[at] <= quiet;
    if (silent) since ??= at;
    else if (since !== null) {
      if (at - since >= atLeast * wave.per_second) found.push([since / wave.per_second, at / wave.per_second]);
      since = null;
    }
  }
  return found;
}

/** How much of the call each side speaks, both at once, and nobody: shares of 1. */
export function shares(wave) {
  const audible = 6 / 255;
  const [ours, theirs] = wave.channels;
  const total = ours.length || 1;
  const count = { ours: 0, theirs: 0, both: 0, nobody: 0 };
  ours.forEach((value, at) => {
    const [mine, other] = [value > audible, theirs[at] > audible];
    count[mine && other ? "both" : mine ? "ours" : other ? "theirs" : "nobody"] += 1;
  });
  return Object.fromEntries(Object.entries(count).map(([who, windows]) => [who, windows / total]));
}

customElements.define("wave-form", WaveForm);
