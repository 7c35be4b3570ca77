// Building and updating the page without ever parsing data as markup: data goes in as text only.

/** An element with attributes (`on` holds listeners; null, undefined and false are left out) and children (nodes or text). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Text that somebody else wrote (a name, a number, a note): isolated, so that right-to-left marks in it stay in it. */
export function data(text, attributes = {}) {
  return h("bdi", { translate: "no", dir: "auto", ...attributes }, String(text ?? ""));
}

/** Replace the children of `parent`, keeping the focus on the control with the same `data-focus`. */
export function fill(parent, ...children) {
  keepFocus(parent, () => parent.replaceChildren(...children.flat().filter(Boolean)));
}

/**
 * Make `parent` hold one child an item. A child whose item and language are as before stays the very same node, so what
 * plays in it goes on playing, and what has the focus keeps it.
 */
export function reconcile(parent, items, keyOf, render, context = "") {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const children = items.map((item) => {
    const key = String(keyOf(item));
    const signature = context + JSON.stringify(item);
    const known = old.get(key);
    if (known?.signature === signature) return known;
    const child = render(item);
    child.dataset.key = key;
    child.signature = signature;
    return child;
  });
  const same = children.length === parent.children.length && children.every((child, index) => child === parent.children[index]);
  if (!same) keepFocus(parent, () => replaceChanged(parent, children));
}

function replaceChanged(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
}

function keepFocus(parent, change) {
  const active = parent.getRootNode().activeElement; // inside a shadow root the document's is its host
  const focused = parent.contains(active) ? active : null;
  const name = focused?.dataset.focus;
  change();
  if (name && !focused.isConnected) parent.querySelector(`[data-focus="${CSS.escape(name)}"]`)?.focus();
}
