// Classes with their counts, as chips that are switched on and off; two lines of them until more are asked for.

import { button, fill, h } from "./dom";
import type { Page } from "./page";
import type { Facets } from "./types";
import { count } from "./words";

const LINES = 2;

export class Chips {
  readonly element = h("div", { class: "chips", hidden: true, attrs: { role: "group", "aria-label": "Classes" } });
  private readonly more = button("", () => this.open(), { class: "link chips-more", attrs: { "aria-expanded": "false" } });
  private all = false;

  constructor(private readonly page: Page) {
    let width = 0;
    new ResizeObserver(() => {
      // Its height changes as chips are hidden.
      if (this.element.clientWidth === width) return;
      width = this.element.clientWidth;
      this.fold();
    }).observe(this.element);
  }

  show(facets: Facets): void {
    const chosen = this.page.view.value.label;
    const there = facets.labels.map(({ label }) => label ?? "");
    const labels = [...facets.labels, ...chosen.filter((label) => !there.includes(label)).map((label) => ({ label, count: 0 }))];
    // Those that are on come first, so that they are always seen.
    const first = labels.filter(({ label }) => chosen.includes(label ?? ""));
    const others = labels.filter(({ label }) => !chosen.includes(label ?? ""));
    this.element.hidden = !labels.some(({ label }) => label !== null);
    const focus = document.activeElement instanceof HTMLElement && this.element.contains(document.activeElement) ? document.activeElement.dataset.label : undefined;
    fill(this.element, ...[...first, ...others].map(({ label, count: number }) => this.chip(label ?? "", number)), this.more);
    this.fold();
    if (focus !== undefined) this.element.querySelector<HTMLElement>(`[data-label="${CSS.escape(focus)}"]`)?.focus();
  }

  private chip(label: string, number: number): HTMLElement {
    const on = this.page.view.value.label.includes(label);
    const chip = button(label || "without label", () => this.toggle(label), { class: "chip", attrs: { "aria-pressed": String(on), "data-label": label } });
    chip.append(" ", h("span", { class: "chip-count" }, count(number)));
    return chip;
  }

  private toggle(label: string): void {
    const chosen = this.page.view.value.label;
    this.page.show({ label: chosen.includes(label) ? chosen.filter((other) => other !== label) : [...chosen, label] });
  }

  private open(): void {
    this.all = !this.all;
    this.fold();
  }

  /** Hides the chips below the second line, where they lie in lines at all. */
  private fold(): void {
    const chips = [...this.element.querySelectorAll<HTMLElement>(".chip")];
    for (const chip of chips) chip.hidden = false;
    this.more.hidden = true;
    const lines = [...new Set(chips.map((chip) => chip.offsetTop))];
    if (lines.length <= LINES) return;
    this.more.hidden = false;
    this.more.textContent = "Fewer classes";
    this.more.setAttribute("aria-expanded", String(this.all));
    if (this.all) return;
    this.more.textContent = `All ${count(chips.length, "class", "classes")}`;
    const last = lines[LINES - 1] ?? 0;
    for (const chip of chips) chip.hidden = chip.offsetTop > last;
    // The button needs its own place in the last line.
    for (const chip of chips.filter((each) => !each.hidden).reverse()) {
      if (this.more.offsetTop <= last + 4) break;
      chip.hidden = true;
    }
  }
}
