// The distances of all tiles to the query, and a line where the list is cut; the line is dragged or moved by keys.

import { button, fill, h, svg } from "./dom";
import type { Page } from "./page";
import type { Found } from "./types";
import { count, percent } from "./words";

const HEIGHT = 96;

export class Histogram {
  readonly element: HTMLElement;
  private readonly chart = h("div", { class: "chart" });
  private readonly handle: HTMLElement;
  private readonly legend = h("p", { class: "hint legend" }, "share expected right at each distance");
  private readonly words = h("p", { class: "chart-words" });
  private readonly all = button("Show all", () => this.cut(null), { class: "link" });
  private found: Found | null = null;
  private radius = 0;
  private timer = 0;
  /** Whether the line is on its way: a list that comes meanwhile must not put it back. */
  private moving = false;

  constructor(private readonly page: Page) {
    this.handle = h("div", { class: "cut", tabIndex: 0, attrs: { role: "slider", "aria-label": "Cut-off: largest distance in bits", "aria-valuemin": 0 }, on: { keydown: (event) => this.key(event) } });
    const plot = h("div", { class: "plot", on: { pointerdown: (event) => this.drag(event) } }, this.chart, this.handle);
    const axis = h("div", { class: "chart-axis", attrs: { "aria-hidden": "true" } }, h("span", {}, "0"), h("span", {}, "bits that differ"), h("span", { class: "chart-bits" }));
    this.element = h("section", { class: "card", hidden: true, attrs: { "aria-label": "Distances" } }, h("h2", {}, "Distances"), plot, axis, this.legend, this.words, this.all);
    page.listing.listed.on((listed) => {
      if (listed.state === "loading") return;
      this.element.hidden = listed.found === null;
      if (listed.found) this.show(listed.found);
    });
  }

  private show(found: Found): void {
    this.found = found;
    if (!this.moving) this.radius = this.page.view.value.radius ?? found.bits;
    fill(this.chart, this.draw(found));
    this.legend.hidden = !found.precision;
    this.handle.setAttribute("aria-valuemax", String(found.bits));
    const bits = this.element.querySelector(".chart-bits");
    if (bits) bits.textContent = String(found.bits);
    this.place();
  }

  /** Bars of the logarithm, since the near ones are few; over them the share that is expected right at each distance. */
  private draw(found: Found): SVGElement {
    const { histogram, bits, precision } = found;
    const tallest = Math.log1p(Math.max(1, ...histogram));
    const bars = histogram.map((number, distance) => {
      const tall = number ? Math.max(2, (HEIGHT * Math.log1p(number)) / tallest) : 0;
      return svg("rect", { class: "bar", "data-distance": distance, x: distance + 0.1, y: HEIGHT - tall, width: 0.8, height: tall });
    });
    const line = precision && svg("path", { class: "curve", d: `M${precision.map((share, distance) => `${distance + 0.5} ${HEIGHT - share * (HEIGHT - 2)}`).join("L")}` });
    const label = `Distances of ${count(histogram.reduce((sum, number) => sum + number, 0), "tile")}, from 0 to ${bits} bits, on a logarithmic scale`;
    return svg("svg", { viewBox: `0 0 ${bits + 1} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, ...bars, line);
  }

  private place(): void {
    if (!this.found) return;
    const { bits, histogram, expected, background } = this.found;
    this.handle.style.left = `${((this.radius + 1) / (bits + 1)) * 100}%`;
    for (const bar of this.chart.querySelectorAll(".bar")) bar.classList.toggle("beyond", Number(bar.getAttribute("data-distance")) > this.radius);
    const kept = histogram.slice(0, this.radius + 1).reduce((sum, number) => sum + number, 0);
    const words = [`Up to ${this.radius} of ${bits} bits: ${count(kept, "tile")}`];
    const right = expected?.[this.radius];
    if (typeof right === "number" && kept) words.push(`${percent(right)} expected right`);
    else if (!this.found.precision && background) words.push(`${percent(background[this.radius] ?? 0)} of random pairs are as near`);
    this.words.textContent = words.join(" · ");
    this.handle.setAttribute("aria-valuenow", String(this.radius));
    this.handle.setAttribute("aria-valuetext", words.join(", "));
    this.all.hidden = this.page.view.value.radius === null && this.radius === bits;
  }

  private drag(event: PointerEvent): void {
    event.preventDefault();
    this.handle.focus();
    const plot = event.currentTarget as HTMLElement;
    plot.setPointerCapture(event.pointerId);
    const move = (at: PointerEvent): void => {
      const box = plot.getBoundingClientRect();
      const bits = this.found?.bits ?? 0;
      this.moveTo(Math.round(((at.clientX - box.left) / box.width) * (bits + 1)) - 1);
    };
    const end = (): void => {
      plot.removeEventListener("pointermove", move);
      this.cut(this.radius);
    };
    plot.addEventListener("pointermove", move);
    plot.addEventListener("pointerup", end, { once: true });
    plot.addEventListener("pointercancel", end, { once: true });
    move(event);
  }

  private key(event: KeyboardEvent): void {
    const bits = this.found?.bits ?? 0;
    const steps: Record<string, number> = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5, Home: -bits, End: bits };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.moveTo(this.radius + step);
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.cut(this.radius), 200);
  }

  private moveTo(radius: number): void {
    this.moving = true;
    this.radius = Math.max(0, Math.min(this.found?.bits ?? 0, radius));
    this.place();
  }

  private cut(radius: number | null): void {
    clearTimeout(this.timer);
    this.moving = false;
    const next = radius === this.found?.bits ? null : radius;
    if (next !== this.page.view.value.radius) this.page.show({ radius: next }, true);
    else this.place();
  }
}
