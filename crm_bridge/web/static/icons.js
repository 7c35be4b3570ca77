// Small line drawings; they repeat what the text beside them says, so they are hidden from screen readers.

const PATHS = {
  phone: "M6.6 3.5 9 4l1 4-2 1.6a11 11 0 0 0 4.4 4.4L14 12l4 1 .5 2.4a2 2 0 0 1-2 2.3A13.2 13.2 0 0 1 4.3 5.5a2 2 0 0 1 2.3-2Z",
  hangup: "M3 13.5c0-1 .5-2 1.4-2.5a13 13 0 0 1 13.2 0c.9.5 1.4 1.5 1.4 2.5v1.2a1 1 0 0 1-1.3 1l-3-1a1 1 0 0 1-.7-1v-1.6a10 10 0 0 0-6 0v1.6a1 1 0 0 1-.7 1l-3 1a1 1 0 0 1-1.3-1Z",
  blocked: "M11 3a8 8 0 1 0 0 16 8 8 0 0 0 0-16ZM5.5 5.5l11 11",
  clock: "M11 3a8 8 0 1 0 0 16 8 8 0 0 0 0-16Zm0 4v4.3l2.8 1.7",
  check: "m4.5 11.5 4 4 9-9",
  warning: "M11 3.5 2.8 18h16.4Zm0 5v4.5m0 2.2v.3",
  play: "M7.5 5v12l9-6Z",
  pause: "M6 5h3.5v12H6Zm6.5 0H16v12h-3.5Z",
  search: "M10 4a6 6 0 1 0 0 12 6 6 0 0 0 0-12Zm4.4 10.4L19 19",
  person: "M11 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm-6.5 8a6.5 6.5 0 0 1 13 0",
  desk_phone: "M5 8V5.5A1.5 1.5 0 0 1 6.5 4H8v8H6.5A1.5 1.5 0 0 1 5 10.5Zm5-2h6.5A1.5 1.5 0 0 1 18 7.5v9a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 4 16.5V14m8-4h3m-3 3h3",
  note: "M6 3.5h7l4 4V18a.5.5 0 0 1-.5.5h-10.5a.5.5 0 0 1-.5-.5V4a.5.5 0 0 1 .5-.5Zm6.5 0V8H17M8.5 11.5h5m-5 3h5",
  lock: "M6 10h10a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1Zm2 0V7a3 3 0 0 1 6 0v3",
  mute: "M11 3.5a2.5 2.5 0 0 1 2.5 2.5v4.5a2.5 2.5 0 0 1-5 0V6A2.5 2.5 0 0 1 11 3.5ZM6 10a5 5 0 0 0 10 0m-5 5v3.5M4 4l14 14",
  keypad: "M6 5h.01M11 5h.01M16 5h.01M6 10h.01M11 10h.01M16 10h.01M6 15h.01M11 15h.01M16 15h.01",
  transfer: "M4 8h12m0 0-3.5-3.5M16 8l-3.5 3.5M18 14H6m0 0 3.5-3.5M6 14l3.5 3.5",
  record: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14Zm0 4.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5Z",
  incoming: "M17 5 7 15m0-7v7h7",
};

/** An icon of 1.15 em in the colour of the text around it. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 22 22");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
