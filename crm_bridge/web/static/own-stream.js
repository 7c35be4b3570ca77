// The live stream of our own pages: what the bundle gives to other pages, with the session instead of a token.

import { SharedStream } from "./embed/shared-stream.js";

/** One stream for all our tabs of this user. A session is not renewed: whoever reads the 401 says that it has ended. */
export const ownStream = (name) => new SharedStream(`own pages, ${name}`, { renew: async () => false });
