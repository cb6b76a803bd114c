// The archive laid out by similarity: a point a tile, near ones alike; and clusters to start from.

import { api, inWords, isAborted, thumb } from "./api";
import { button, fill, h } from "./dom";
import type { Page } from "./page";
import { Trouble } from "./status";
import type { Cluster, Layout, Point } from "./types";
import { shownParams } from "./view";
import { count, shortName } from "./words";

const NEAR = 14; // pixels from the pointer within which a point is meant
const AGAIN = 3000; // milliseconds until a finer layout is asked for

export class SimilarityPanel {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", { attrs: { role: "img", "aria-label": "Tiles laid out by similarity; the clusters below are its parts" }, on: { pointermove: (event) => this.hover(event), pointerleave: () => this.leave(), click: (event) => this.click(event), wheel: (event) => this.zoom(event) } });
  private readonly tip = h("div", { class: "tip", hidden: true, attrs: { "aria-hidden": "true" } });
  private readonly clusters = h("div", { class: "clusters" });
  private readonly words = h("p", { class: "hint" });
  private readonly trouble = new Trouble();
  private layout: Layout | null = null;
  private shownFor = "";
  private running = new AbortController();
  /** The part of the layout in sight: its middle and how many times it is enlarged. */
  private sight = { x: 0, y: 0, times: 1 };

  constructor(private readonly page: Page) {
    const plot = h("div", { class: "similarity-plot" }, this.canvas, this.tip);
    this.element = h("section", { class: "panel similarity", attrs: { "aria-label": "Similarity" } }, plot, this.words, this.trouble.element, this.clusters);
    new ResizeObserver(() => this.draw()).observe(plot);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    page.hovered.on(() => this.draw());
    page.listing.listed.on(() => this.draw());
    page.listing.arrived.on(() => this.draw());
    addEventListener("theme", () => this.draw());
  }

  /** Loads what the filters leave, unless it is there. */
  async load(): Promise<void> {
    const query = shownParams(this.page.view.value);
    if (query.toString() === this.shownFor && this.layout && !this.layout.rough) return;
    this.shownFor = query.toString();
    this.running.abort();
    const { signal } = (this.running = new AbortController());
    this.trouble.clear();
    try {
      this.layout = await this.page.status.during("Laying the archive out by similarity…", api.layout(query, signal));
      this.show(this.layout);
      if (this.layout.rough) setTimeout(() => !signal.aborted && !this.element.hidden && void this.load(), AGAIN);
    } catch (error) {
      if (isAborted(error)) return;
      this.words.textContent = "";
      this.shownFor = "";
      this.trouble.show(inWords(error));
    }
  }

  private show(layout: Layout): void {
    const { total, points, clusters } = layout;
    const shown = points.length < total ? `A sample of ${count(points.length)} of ${count(total, "tile")}` : count(total, "tile");
    this.words.textContent = `${shown}; like tiles lie close together.${layout.rough ? " They are still being laid out." : ""}`;
    fill(this.clusters, ...[...clusters].sort((one, other) => other.count - one.count).map((cluster) => this.clusterButton(cluster)));
    this.draw();
  }

  private clusterButton(cluster: Cluster): HTMLElement {
    const first = cluster.items[0];
    const name = cluster.label ?? `Cluster ${cluster.cluster + 1}`;
    const pictures = h("span", { class: "cluster-pictures" }, ...cluster.items.slice(0, 6).map((item) => h("img", { src: thumb(item, 128), alt: "", loading: "lazy" })));
    const element = button(pictures, () => first && this.page.like(first), { class: "cluster", title: "Find tiles like its most typical" });
    element.append(h("span", { class: "cluster-name" }, swatch(cluster.cluster), h("span", {}, name)), h("span", { class: "hint" }, count(cluster.count, "tile")));
    return element;
  }

  private draw(): void {
    if (this.element.hidden) return;
    const box = this.canvas.parentElement?.getBoundingClientRect();
    const context = this.canvas.getContext("2d");
    if (!box?.width || !context || !this.layout) return;
    const ratio = devicePixelRatio;
    this.canvas.width = box.width * ratio;
    this.canvas.height = box.height * ratio;
    context.scale(ratio, ratio);
    const known = new Set(this.page.listing.listed.value.kind === "wall" ? [] : this.page.listing.known().map((item) => item.id));
    const ink = getComputedStyle(this.element).getPropertyValue("--ink");
    for (const point of this.layout.points) {
      const [x, y] = this.at(point);
      context.globalAlpha = known.size && !known.has(point.id) ? 0.25 : 0.85;
      context.fillStyle = colour(point.cluster);
      context.beginPath();
      context.arc(x, y, known.has(point.id) ? 4 : 2.6, 0, 2 * Math.PI);
      context.fill();
      if (point.id === this.page.hovered.value) {
        context.globalAlpha = 1;
        context.strokeStyle = ink;
        context.lineWidth = 2;
        context.beginPath();
        context.arc(x, y, 7, 0, 2 * Math.PI);
        context.stroke();
      }
    }
  }

  /** Where a point of the layout lies on the canvas. */
  private at({ x, y }: { x: number; y: number }): [number, number] {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const { x: middleX, y: middleY, times } = this.sight;
    return [width / 2 + (x - middleX) * times * (width / 2 - 12), height / 2 - (y - middleY) * times * (height / 2 - 12)];
  }

  private nearest(event: MouseEvent): Point | undefined {
    const points = this.layout?.points ?? [];
    const far = (point: Point): number => {
      const [x, y] = this.at(point);
      return Math.hypot(x - event.offsetX, y - event.offsetY);
    };
    const best = points.reduce<{ point?: Point; far: number }>((so, point) => (far(point) < so.far ? { point, far: far(point) } : so), { far: NEAR });
    return best.point;
  }

  private hover(event: PointerEvent): void {
    if (event.buttons === 1 && this.sight.times > 1) this.pan(event);
    const point = this.nearest(event);
    this.canvas.style.cursor = point ? "pointer" : "";
    this.tip.hidden = !point;
    if (this.page.hovered.value !== (point?.id ?? null)) this.page.hovered.value = point?.id ?? null;
    if (!point) return;
    const [x, y] = this.at(point);
    fill(this.tip, h("img", { src: thumb(point, 128), alt: "" }), h("span", {}, point.label ?? shortName(point.id)));
    Object.assign(this.tip.style, { left: `${Math.min(x + 10, this.canvas.clientWidth - 140)}px`, top: `${y > this.canvas.clientHeight / 2 ? y - 160 : y + 10}px` });
  }

  private leave(): void {
    this.tip.hidden = true;
    this.page.hovered.value = null;
  }

  private click(event: MouseEvent): void {
    const point = this.nearest(event);
    if (point) this.page.like(point);
  }

  private pan(event: PointerEvent): void {
    this.sight.x -= event.movementX / this.sight.times / (this.canvas.clientWidth / 2);
    this.sight.y += event.movementY / this.sight.times / (this.canvas.clientHeight / 2);
    this.draw();
  }

  private zoom(event: WheelEvent): void {
    event.preventDefault();
    const times = Math.min(20, Math.max(1, this.sight.times * Math.exp(-event.deltaY / 400)));
    const [width, height] = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2];
    const [x, y] = [(event.offsetX - width) / width, (height - event.offsetY) / height];
    const shift = 1 / this.sight.times - 1 / times;
    this.sight = times === 1 ? { x: 0, y: 0, times } : { x: this.sight.x + x * shift, y: this.sight.y + y * shift, times };
    this.draw();
  }
}

/** A colour for a cluster; neighbours in number lie far apart in hue. */
function colour(cluster: number): string {
  return `hsl(${(cluster * 137.5) % 360} 52% 52%)`;
}

function swatch(cluster: number): HTMLElement {
  const element = h("span", { class: "swatch" });
  element.style.background = colour(cluster);
  return element;
}
