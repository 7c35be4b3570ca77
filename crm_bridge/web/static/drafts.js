// What was typed and not yet saved, over a reload of the page. A browser may keep storage from a frame inside another page;
// there it lasts as long as the page does.

const here = new Map();

function storage() {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}

export const drafts = {
  get: (key) => JSON.parse(storage()?.getItem(key) ?? here.get(key) ?? "null"),
  set: (key, values) => {
    const text = JSON.stringify(values);
    if (storage()) storage().setItem(key, text);
    else here.set(key, text);
  },
  remove: (key) => {
    storage()?.removeItem(key);
    here.delete(key);
  },
};
