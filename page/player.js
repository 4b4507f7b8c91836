// Which step is shown. Steps come while it plays; at the end of what there is it waits for more.
const PAUSE = 450; // milliseconds from one step to the next

export class Player {
  // onChange() after each change of what is shown
  constructor(onChange) {
    this.onChange = onChange;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.reset();
  }

  // There are steps 0 (the question) … last; more: others will come.
  reset() {
    this.pause();
    this.at = this.last = 0;
    this.more = false;
  }

  begin() {
    this.reset();
    this.more = true;
    if (!this.calm.matches) this.play();
  }

  // One more step; who wants no motion is shown the newest, without those between.
  grow(last) {
    this.last = Math.max(this.last, last);
    if (this.calm.matches && !this.playing) this.at = this.last;
    this.onChange();
  }

  end() {
    this.more = false;
    this.onChange();
  }

  get playing() {
    return this.timer !== undefined;
  }

  play() {
    if (this.at >= this.last && !this.more) this.at = 0;
    this.timer = setInterval(() => this.#tick(), PAUSE);
    this.onChange();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
    this.onChange();
  }

  to(step) {
    this.pause();
    this.at = Math.max(0, Math.min(this.last, step));
    this.onChange();
  }

  #tick() {
    if (this.at < this.last) this.at++;
    else if (!this.more) this.pause();
    this.onChange();
  }
}
