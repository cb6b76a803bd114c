// Classes with their counts, as chips that are switched on and off.

import { button, fill, h } from "./dom";
import type { Page } from "./page";
import type { Facets } from "./types";
import { count } from "./words";

export class Chips {
  readonly element = h("div", { class: "chips", hidden: true, attrs: { role: "group", "aria-label": "Classes" } });

  constructor(private readonly page: Page) {}

  show(facets: Facets): void {
    const chosen = this.page.view.value.label;
    const there = facets.labels.map(({ label }) => label ?? "");
    const labels = [...facets.labels, ...chosen.filter((label) => !there.includes(label)).map((label) => ({ label, count: 0 }))];
    this.element.hidden = !labels.some(({ label }) => label !== null);
    const focus = document.activeElement instanceof HTMLElement && this.element.contains(document.activeElement) ? document.activeElement.dataset.label : undefined;
    fill(this.element, ...labels.map(({ label, count: number }) => this.chip(label ?? "", number)));
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
}
