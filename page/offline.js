// The solver of a page that has no server, which `trm page` writes: models beside it, the solver as
// a module of WebAssembly (trm.js), a worker for each model that is asked.
import { SolverError } from "./api.js";
import { load } from "./trm.js";

// What a file beside the page has; `read` is a method of its response.
async function fetched(path, read) {
  let response;
  try {
    response = await fetch(path);
  } catch {
    throw new SolverError("gone", `${path} cannot be had: is there a connection to where this page is from?`);
  }
  if (!response.ok) throw new SolverError("gone", `${path}: where this page is from answers ${response.status}`);
  return response[read]();
}

export class OfflineSolver {
  #loaded = new Map(); // by id, promises

  async models() {
    return (await fetched("models.json", "json")).data;
  }

  async examples() {
    return (await fetched("examples.json", "json")).examples;
  }

  async solve(rows, { model, steps, latents, signal }, onStep) {
    const own = await this.#load(model);
    try {
      return await own.solve(rows, { steps, latents, signal, onStep });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new SolverError("refused", `${model}: ${error.message}`);
    }
  }

  // Once for all puzzles; what failed is tried again.
  #load(model) {
    if (!this.#loaded.has(model)) {
      const loading = this.#fetch(model);
      loading.catch(() => this.#loaded.delete(model));
      this.#loaded.set(model, loading);
    }
    return this.#loaded.get(model);
  }

  async #fetch(model) {
    const bytes = await fetched(`models/${encodeURIComponent(model)}.safetensors`, "arrayBuffer");
    try {
      return await load(bytes);
    } catch (error) {
      throw new SolverError("gone", `${model} cannot be used by this browser: ${error.message}`);
    }
  }
}
