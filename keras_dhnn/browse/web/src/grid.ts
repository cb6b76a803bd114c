// A wall of tiles of one size, of which only those in sight are in the document.

import { h } from "./dom";

const ABOVE_AND_BELOW = 2; // rows kept ready beside those in sight
const RING = 8; // pixels above a tile that show that it has the focus or is selected
const TALLEST = 12_000_000; // pixels; browsers stop counting at some 30 million

export interface Tiles {
  /** Makes the tile of a place on the wall. */
  render(index: number): HTMLElement;
  /** Is told which places are in sight. */
  show(from: number, to: number): void;
  /** Receives keys that do not move. */
  key(index: number, event: KeyboardEvent): void;
  /** Is told that the focus was moved with Shift held. */
  extend(from: number, to: number): void;
}

interface Shape {
  columns: number;
  rowHeight: number;
}

interface Sight {
  offset: number;
  height: number;
  scrolled: number;
}

/** Lays `count` tiles out in rows inside a scrolled element, and moves the focus among them by the arrow keys. */
export class Grid {
  readonly element: HTMLElement;
  private readonly spacer = h("div", { class: "grid-spacer" });
  private readonly shown = new Map<number, HTMLElement>();
  private shape: Shape = { columns: 1, rowHeight: 1 };
  private pending = 0;
  private active = 0;
  count = 0;

  constructor(
    private readonly scroller: HTMLElement,
    private readonly tiles: Tiles,
    label: string,
  ) {
    this.element = h("div", { class: "grid", attrs: { role: "list", "aria-label": label } }, this.spacer);
    this.element.addEventListener("keydown", (event) => this.keydown(event));
    this.element.addEventListener("focusin", (event) => this.follow(event));
    this.scroller.addEventListener("scroll", () => this.later(), { passive: true });
    new ResizeObserver(() => this.refresh()).observe(this.scroller);
    addEventListener("tile-size", () => this.refresh());
  }

  /** Shows another list, from its beginning unless it is the same one that has grown. */
  reset(count: number, keepPlace = false): void {
    const focused = this.element.contains(document.activeElement);
    this.count = count;
    if (!keepPlace) {
      this.active = 0;
      this.scroller.scrollTop = 0;
    }
    this.refresh();
    if (focused && !this.element.contains(document.activeElement)) this.focus(this.active);
  }

  /** Draws the tiles in sight anew; the focus stays at its place on the wall. */
  refresh(): void {
    const focus = focusedPart(this.shown.get(this.active));
    for (const tile of this.shown.values()) tile.remove();
    this.shown.clear();
    this.measure();
    this.draw();
    const tile = this.shown.get(this.active);
    if (tile && focus !== null) restoreFocus(tile, focus);
  }

  /** Draws one tile anew, if it is in sight; the focus stays. */
  redraw(index: number): void {
    const old = this.shown.get(index);
    if (!old) return;
    const focus = focusedPart(old);
    const tile = this.place(index, this.sight());
    old.replaceWith(tile);
    if (focus !== null) restoreFocus(tile, focus);
  }

  /** Draws the tiles of some places anew, those that are in sight. */
  redrawBetween(from: number, to: number): void {
    for (const index of [...this.shown.keys()]) if (index >= from && index < to) this.redraw(index);
  }

  /** Moves the focus, and what is in sight, to a place. */
  focus(index: number): void {
    if (!this.count) return;
    this.activate(Math.max(0, Math.min(this.count - 1, index)));
    this.reveal(this.active);
    this.draw();
    this.shown.get(this.active)?.querySelector<HTMLElement>("button")?.focus({ preventScroll: true });
  }

  /** Brings a place into sight. */
  reveal(index: number): void {
    const top = Math.floor(index / this.shape.columns) * this.shape.rowHeight;
    const { height, offset } = this.sight();
    if (top - RING < offset) this.scrollTo(top - RING);
    else if (top + this.shape.rowHeight > offset + height) this.scrollTo(top + this.shape.rowHeight - height);
  }

  get focused(): number {
    return this.active;
  }

  private measure(): void {
    const style = getComputedStyle(this.element);
    const size = parseFloat(style.getPropertyValue("--tile")) || 132;
    const gap = parseFloat(style.getPropertyValue("--gap")) || 8;
    const caption = parseFloat(style.getPropertyValue("--caption")) || 0;
    const columns = Math.max(1, Math.floor((this.element.clientWidth + gap) / (size + gap)));
    const width = (this.element.clientWidth + gap) / columns - gap;
    this.shape = { columns, rowHeight: width + caption + gap };
    this.spacer.style.height = `${Math.min(this.height, TALLEST)}px`;
  }

  private get rows(): number {
    return Math.ceil(this.count / this.shape.columns);
  }

  private get height(): number {
    return this.rows * this.shape.rowHeight;
  }

  /** What is in sight, in pixels of the whole wall; a wall that is too tall is scrolled in larger steps. */
  private sight(): Sight {
    const height = this.scroller.clientHeight;
    const scrolled = Math.max(0, this.scroller.scrollTop - this.element.offsetTop);
    const scale = this.height > TALLEST ? (this.height - height) / (TALLEST - height) : 1;
    return { offset: scrolled * scale, height, scrolled };
  }

  private scrollTo(offset: number): void {
    const height = this.scroller.clientHeight;
    const scale = this.height > TALLEST ? (this.height - height) / (TALLEST - height) : 1;
    this.scroller.scrollTop = offset <= 0 ? 0 : offset / scale + this.element.offsetTop;
  }

  private later(): void {
    this.pending ||= requestAnimationFrame(() => {
      this.pending = 0;
      this.draw();
    });
  }

  private draw(): void {
    const { columns, rowHeight } = this.shape;
    // Asked once: whoever reads a place after a tile was put in has the browser lay out all of them anew.
    const sight = this.sight();
    const { offset, height } = sight;
    const from = Math.max(0, Math.floor(offset / rowHeight) - ABOVE_AND_BELOW) * columns;
    const to = Math.min(this.count, (Math.ceil((offset + height) / rowHeight) + ABOVE_AND_BELOW) * columns);
    this.tiles.show(from, to);
    for (const [index, tile] of this.shown) {
      const kept = (index >= from && index < to) || (index === this.active && index < this.count && tile.contains(document.activeElement));
      if (!kept) {
        tile.remove();
        this.shown.delete(index);
      }
    }
    for (let index = from; index < to; index++) {
      const tile = this.shown.get(index);
      if (!tile) this.element.append(this.place(index, sight));
      else if (this.height > TALLEST) this.move(tile, index, sight);
    }
  }

  private place(index: number, sight: Sight): HTMLElement {
    const tile = this.tiles.render(index);
    setReachable(tile, index === this.active);
    tile.dataset.index = String(index);
    tile.setAttribute("role", "listitem");
    tile.setAttribute("aria-setsize", String(this.count));
    tile.setAttribute("aria-posinset", String(index + 1));
    this.move(tile, index, sight);
    this.shown.set(index, tile);
    return tile;
  }

  private move(tile: HTMLElement, index: number, { offset, scrolled }: Sight): void {
    const { columns, rowHeight } = this.shape;
    const top = Math.floor(index / columns) * rowHeight - offset + scrolled;
    tile.style.top = `${this.height > TALLEST ? top : Math.floor(index / columns) * rowHeight}px`;
    tile.style.left = `calc((100% + var(--gap)) / ${columns} * ${index % columns})`;
    tile.style.width = `calc((100% + var(--gap)) / ${columns} - var(--gap))`;
  }

  private follow(event: FocusEvent): void {
    const tile = (event.target as HTMLElement).closest<HTMLElement>("[data-index]");
    this.activate(Number(tile?.dataset.index ?? this.active));
  }

  /** Makes a tile the one that Tab reaches. */
  private activate(index: number): void {
    const [before, after] = [this.shown.get(this.active), this.shown.get(index)];
    if (before) setReachable(before, false);
    if (after) setReachable(after, true);
    this.active = index;
  }

  private keydown(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const { columns, rowHeight } = this.shape;
    const page = columns * Math.max(1, Math.floor(this.scroller.clientHeight / rowHeight) - 1);
    const steps: Record<string, number> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns,
      ArrowUp: -columns,
      PageDown: page,
      PageUp: -page,
      Home: -this.active,
      End: this.count - 1 - this.active,
    };
    const step = steps[event.key];
    if (step === undefined) {
      this.tiles.key(this.active, event);
      return;
    }
    event.preventDefault();
    const [from, to] = [this.active, this.active + step];
    if (to >= 0 && to < this.count) this.focus(to);
    else if (Math.abs(step) === page) this.focus(step > 0 ? this.count - 1 : 0);
    if (event.shiftKey && this.active !== from) this.tiles.extend(from, this.active);
  }
}

function setReachable(tile: HTMLElement, reachable: boolean): void {
  for (const element of tile.querySelectorAll("button")) element.tabIndex = reachable ? 0 : -1;
}

/** The number of the button of a tile that has the focus. */
function focusedPart(tile: HTMLElement | undefined): number | null {
  const buttons = [...(tile?.querySelectorAll("button") ?? [])];
  const at = buttons.findIndex((element) => element === document.activeElement);
  return at < 0 ? null : at;
}

function restoreFocus(tile: HTMLElement, at: number): void {
  const buttons = tile.querySelectorAll("button");
  (buttons[at] ?? buttons[0])?.focus({ preventScroll: true });
}
