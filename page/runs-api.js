// What trm serve --run tells of trainings. Failures are those of api.js: SolverError with a reason.
import { SolverError } from "./api.js";

const GONE = "The server does not answer. What it told so far stays, and it is asked again.";

export class Trainings {
  key = "";

  runs() {
    return this.#get("v1/runs");
  }

  async curves(key) {
    return (await this.#get(`v1/runs/curve?key=${encodeURIComponent(key)}`)).curves;
  }

  puzzles(run) {
    return this.#get(`v1/runs/puzzles?run=${run}`);
  }

  async #get(path) {
    let response;
    try {
      response = await fetch(path, { headers: this.key ? { Authorization: `Bearer ${this.key}` } : {} });
      if (response.ok) return await response.json();
    } catch {
      throw new SolverError("gone", GONE);
    }
    const message = await response.json().then((j) => j.error.message, () => response.statusText);
    throw new SolverError(response.status === 401 ? "key" : "refused", message);
  }
}
