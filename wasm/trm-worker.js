// A model behind messages, for trm.js: {id, what: "load" | "solve" | "leave", …} comes in,
// {id, step}, {id, result} or {id, error} goes out.
import { load } from "./trm.js";

const node = typeof process === "object" && process.versions?.node;
const port = node ? (await import("node:worker_threads")).parentPort : self;
const leaving = new Map(); // by id, of puzzles that are solved
let model;

const requests = {
  async load({ bytes, options }) {
    model = await load(bytes, { ...options, worker: false });
    return { config: model.config, puzzle: model.puzzle, latents: model.latents };
  },
  async solve({ id, puzzle, options, steps }) {
    const control = new AbortController();
    leaving.set(id, control);
    try {
      return await model.solve(puzzle, {
        ...options,
        signal: control.signal,
        ...(steps && { onStep: (step) => port.postMessage({ id, step }) }),
      });
    } finally {
      leaving.delete(id);
    }
  },
  async leave({ id }) {
    leaving.get(id)?.abort();
  },
};

async function listen(message) {
  try {
    const result = await requests[message.what](message);
    if (message.what !== "leave") port.postMessage({ id: message.id, result });
  } catch (error) {
    port.postMessage({ id: message.id, error });
  }
}
if (node) port.on("message", listen);
else port.onmessage = (event) => listen(event.data);
