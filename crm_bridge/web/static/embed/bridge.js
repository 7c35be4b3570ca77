// The bundle's entry: `window.CallBridge`, <call-bar>, <call-link>, and every tel: link of the page.

import { Bridge } from "./client.js";
import { defineElements } from "./elements.js";

const script = document.currentScript?.src;
const bridge = new Bridge({ texts: BUNDLED.texts, rules: BUNDLED.rules });
const init = bridge.init.bind(bridge);

/** `url` is where this script came from, unless the page says otherwise (a module does not know). */
bridge.init = (options = {}) => init({ ...options, url: options.url ?? (script ? new URL(script).origin : location.origin) });
window.CallBridge = bridge;
defineElements(bridge, BUNDLED.styles);
