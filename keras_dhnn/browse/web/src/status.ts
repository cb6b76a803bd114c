// Says what is going on: to all in a line at the foot of the page, and to screen readers as it changes.

import { h } from "./dom";

export class Status {
  private readonly text = h("span", { class: "status-text" });
  private readonly bar = h("span", { class: "status-bar", attrs: { "aria-hidden": "true" }, hidden: true });
  readonly element = h("div", { class: "status", attrs: { role: "status" } }, this.bar, this.text);
  private readonly running = new Map<symbol, string>();

  say(text: string): void {
    if (!this.running.size) this.text.textContent = text;
  }

  /** Shows that something goes on until a promise is kept or broken. */
  async during<T>(text: string, work: Promise<T>): Promise<T> {
    const key = Symbol(text);
    this.running.set(key, text);
    this.update();
    try {
      return await work;
    } finally {
      this.running.delete(key);
      this.update();
    }
  }

  private update(): void {
    this.bar.hidden = this.running.size === 0;
    this.text.textContent = [...this.running.values()].pop() ?? "";
  }
}

/** A place for words about what went wrong, beside what it concerns. */
export class Trouble {
  readonly element = h("p", { class: "trouble", attrs: { role: "alert" }, hidden: true });

  show(text: string): void {
    this.element.textContent = text;
    this.element.hidden = text === "";
  }

  clear(): void {
    this.show("");
  }
}
