// Who solves. A solver has
//   models()     of each {id, description, puzzle (for people), kind, rows, cols, box_rows, box_cols,
//                sized, symbols, steps, latents (names)}
//   examples()   of each {model, puzzle}, a text
//   solve(rows, {model, steps, latents, signal}, onStep)   onStep({step, grid, changed, confidence, q,
//                violations, seconds, latents}) after each step; then the answer
// and fails with a SolverError. This one asks trm serve; that of offline.js brings its models along.

export class SolverError extends Error {
  // reason: "key", "gone" (nobody answers, or not any more) or "refused"
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

// The page says whether it is that of a server or stands alone.
export async function openSolver() {
  if (!document.querySelector('meta[name="trm-offline"]')) return new HttpSolver();
  const { OfflineSolver } = await import("./offline.js");
  return new OfflineSolver();
}

const GONE = "The server does not answer. Is trm serve still running? What was computed so far stays.";

export class HttpSolver {
  key = "";

  async models() {
    return (await (await this.#ask("v1/models")).json()).data;
  }

  async examples() {
    return (await (await this.#ask("v1/examples")).json()).examples;
  }

  async solve(rows, { model, steps, latents, signal }, onStep) {
    const body = JSON.stringify({ puzzle: rows, model, steps, latents, stream: true });
    const response = await this.#ask("v1/solve", { method: "POST", body, signal });
    for await (const { event, data } of events(response.body)) {
      if (event === "step") onStep(data);
      if (event === "answer") return data;
      if (event === "error") throw new SolverError("gone", data.error.message);
    }
    throw new SolverError("gone", GONE);
  }

  async #ask(path, init = {}) {
    const headers = this.key ? { Authorization: `Bearer ${this.key}` } : {};
    let response;
    try {
      response = await fetch(path, { ...init, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new SolverError("gone", GONE);
    }
    if (response.ok) return response;
    const message = await response.json().then((j) => j.error.message, () => response.statusText);
    throw new SolverError(response.status === 401 ? "key" : "refused", message);
  }
}

// Server-sent events of a body: their name, and their data as JSON.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new SolverError("gone", GONE);
    }
    if (part.done) return;
    text += part.value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const event = block.match(/^event: (.*)$/m)?.[1];
      const data = block.match(/^data: (.*)$/m)?.[1];
      if (event && data) yield { event, data: JSON.parse(data) };
    }
  }
}
