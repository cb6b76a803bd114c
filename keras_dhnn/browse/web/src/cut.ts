// Bars of how many tiles there are at each step, and a line where the list is cut, which is dragged or moved by keys.

import { fill, h, svg } from "./dom";
import { percent } from "./words";

const HEIGHT = 96;

/** What is drawn: a bar a step, from left to right. */
export interface Bars {
  counts: number[];
  /** Share that is right at each step, if that is known. */
  curve: (number | null)[] | null;
  /** Whether the bars left of the line are kept, or those right of it. */
  keeps: "left" | "right";
  label: string;
  /** What the line means at one of the places between bars, 0 to the left of all. */
  words(at: number): string[];
  /** The same place as a number of the slider. */
  value(at: number): number;
}

export class Cut {
  readonly element: HTMLElement;
  private readonly chart = h("div", { class: "chart" });
  private readonly handle: HTMLElement;
  private readonly words = h("p", { class: "chart-words" });
  private bars: Bars | null = null;
  private at = 0;
  private timer = 0;
  /** Whether the line is on its way: a list that comes meanwhile must not put it back. */
  private moving = false;

  constructor(
    name: string,
    axis: [left: string, middle: string, right: HTMLElement | string],
    private readonly chosen: (at: number) => void,
  ) {
    this.handle = h("div", { class: "cut", tabIndex: 0, attrs: { role: "slider", "aria-label": name }, on: { keydown: (event) => this.key(event) } });
    const plot = h("div", { class: "plot", on: { pointerdown: (event) => this.drag(event) } }, this.chart, this.handle);
    const ends = h("div", { class: "chart-axis", attrs: { "aria-hidden": "true" } }, ...axis.map((text) => (typeof text === "string" ? h("span", {}, text) : text)));
    this.element = h("div", {}, plot, ends, this.words);
  }

  /** Draws other bars, and the line at a place, unless it is being moved. */
  show(bars: Bars, at: number): void {
    this.bars = bars;
    if (!this.moving) this.at = at;
    fill(this.chart, this.draw(bars));
    const ends = [bars.value(this.first), bars.value(this.last)];
    this.handle.setAttribute("aria-valuemin", String(Math.min(...ends)));
    this.handle.setAttribute("aria-valuemax", String(Math.max(...ends)));
    this.place();
  }

  /** The line never leaves nothing: a step is kept at least. */
  private get first(): number {
    return this.bars?.keeps === "left" ? 1 : 0;
  }

  private get last(): number {
    const steps = this.bars?.counts.length ?? 1;
    return this.bars?.keeps === "left" ? steps : steps - 1;
  }

  /** Bars of the logarithm, since the best ones are few; over them the share that is right at each step. */
  private draw({ counts, curve, label }: Bars): SVGElement {
    const tallest = Math.log1p(Math.max(1, ...counts));
    const bars = counts.map((number, step) => {
      const tall = number ? Math.max(2, (HEIGHT * Math.log1p(number)) / tallest) : 0;
      return svg("rect", { class: "bar", "data-step": step, x: step + 0.1, y: HEIGHT - tall, width: 0.8, height: tall });
    });
    const points = (curve ?? []).flatMap((share, step) => (share === null ? [] : [`${step + 0.5} ${HEIGHT - share * (HEIGHT - 2)}`]));
    const line = points.length > 1 && svg("path", { class: "curve", d: `M${points.join("L")}` });
    return svg("svg", { viewBox: `0 0 ${counts.length} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, ...bars, ...(line ? [line] : []));
  }

  private place(): void {
    const { bars, at } = this;
    if (!bars) return;
    this.handle.style.left = `${(at / bars.counts.length) * 100}%`;
    for (const bar of this.chart.querySelectorAll(".bar")) {
      const step = Number(bar.getAttribute("data-step"));
      bar.classList.toggle("beyond", bars.keeps === "left" ? step >= at : step < at);
    }
    const words = bars.words(at);
    this.words.textContent = words.join(" · ");
    this.handle.setAttribute("aria-valuenow", String(bars.value(at)));
    this.handle.setAttribute("aria-valuetext", words.join(", "));
  }

  private drag(event: PointerEvent): void {
    event.preventDefault();
    this.handle.focus();
    const plot = event.currentTarget as HTMLElement;
    plot.setPointerCapture(event.pointerId);
    const move = (pointer: PointerEvent): void => {
      const box = plot.getBoundingClientRect();
      this.moveTo(Math.round(((pointer.clientX - box.left) / box.width) * (this.bars?.counts.length ?? 0)));
    };
    const end = (): void => {
      plot.removeEventListener("pointermove", move);
      this.choose();
    };
    plot.addEventListener("pointermove", move);
    plot.addEventListener("pointerup", end, { once: true });
    plot.addEventListener("pointercancel", end, { once: true });
    move(event);
  }

  private key(event: KeyboardEvent): void {
    const steps: Record<string, number> = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5, Home: -this.last, End: this.last };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.moveTo(this.at + step);
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.choose(), 200);
  }

  private moveTo(at: number): void {
    this.moving = true;
    this.at = Math.max(this.first, Math.min(this.last, at));
    this.place();
  }

  private choose(): void {
    clearTimeout(this.timer);
    this.moving = false;
    this.chosen(this.at);
  }
}

/** The share that is right, in words, if it is known. */
export function rightWords(share: number | null | undefined, how: string): string[] {
  return typeof share === "number" ? [`${percent(share)} ${how}`] : [];
}
