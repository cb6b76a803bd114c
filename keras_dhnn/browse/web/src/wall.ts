// The middle of the page: what is listed, in words, then the tiles.

import { PAGE } from "./api";
import { h, fill, button } from "./dom";
import { Grid } from "./grid";
import type { Page } from "./page";
import { Trouble } from "./status";
import { emptyTile, makeTile, type Actions, type Shown } from "./tile";
import type { Item } from "./types";
import { count, othersOf, percent, shortName } from "./words";
import type { Listed } from "./listing";

export class Wall {
  readonly element: HTMLElement;
  readonly grid: Grid;
  private readonly title = h("h2", { class: "wall-title", attrs: { "aria-live": "polite" } });
  private readonly remark = h("p", { class: "wall-remark" });
  private readonly trouble = new Trouble();
  private readonly empty = h("div", { class: "wall-empty", hidden: true });
  private readonly actions: Actions;

  constructor(
    private readonly page: Page,
    above: HTMLElement[],
    beside: HTMLElement[],
  ) {
    this.actions = {
      click: (item, event) => this.click(item, event),
      mark: (item, mark) => page.teaching.mark(item, mark),
      select: (item, event) => this.select(item, event.shiftKey),
      look: (item) => (page.looked.value = item),
      hover: (item) => (page.hovered.value = item?.id ?? null),
    };
    const scroller = h("div", { class: "wall-scroll" });
    this.grid = new Grid(scroller, { render: (index) => this.render(index), show: (from, to) => page.listing.need(from, to), key: (index, event) => this.key(index, event), extend: (from, to) => void this.extend(from, to) }, "Tiles");
    scroller.append(this.empty, this.grid.element);
    const head = h("div", { class: "wall-head" }, h("div", { class: "wall-words" }, this.title, this.remark), ...beside);
    this.element = h("section", { class: "wall", attrs: { "aria-label": "Tiles" } }, head, ...above, this.trouble.element, scroller);
    this.listen();
  }

  private listen(): void {
    const { listing, teaching, selection, hovered } = this.page;
    listing.listed.on((listed, before) => this.update(listed, before));
    listing.arrived.on((from) => this.grid.redrawBetween(from, from + PAGE));
    teaching.lesson.on((lesson, before) => {
      this.redrawIds(Object.keys({ ...lesson.marks, ...before.marks }).filter((id) => lesson.marks[id] !== before.marks[id]));
      if (lesson.name !== before.name) fill(this.title, this.heading(listing.listed.value));
    });
    selection.ids.on((ids, before) => this.redrawIds([...ids, ...before].filter((id) => ids.has(id) !== before.has(id))));
    hovered.on((id) => this.point(id));
  }

  /** Shows an item of the list: brings it into sight and gives it the focus. */
  focus(id: string): void {
    const index = this.page.listing.indexOf(id);
    if (index >= 0) this.grid.focus(index);
  }

  private render(index: number): HTMLElement {
    const item = this.page.listing.item(index);
    return item ? makeTile(item, this.shown(item), this.actions) : emptyTile();
  }

  private shown(item: Item): Shown {
    const { about, listing, teaching, selection } = this.page;
    const query = listing.listed.value.query;
    return { bits: about.bits, code: query?.code, label: query?.label ?? null, mark: teaching.markOf(item.id), selected: selection.has(item.id) };
  }

  private update(listed: Listed, before: Listed): void {
    this.element.toggleAttribute("data-loading", listed.state === "loading");
    this.trouble.show(listed.problem);
    if (listed.state === "loading") return;
    this.element.dataset.kind = listed.kind;
    fill(this.title, this.heading(listed));
    fill(this.remark, this.remarkOf(listed));
    if (listed !== before && before.state === "ready" && listed.found === before.found && listed.taught === before.taught && listed.total === before.total) return;
    this.page.selection.forgetPlaces();
    // An order that was learned comes without a load: whoever marks goes on where they are.
    this.grid.reset(listed.total, before.state === "ready");
    this.showEmpty(listed);
  }

  private heading(listed: Listed): string {
    if (listed.state === "failed") return "Nothing to show";
    if (listed.kind === "wall") return count(listed.total, "tile");
    if (listed.kind === "taught") return this.page.teaching.lesson.value.name;
    return `Nearest to ${listed.query ? [shortName(listed.query.name), othersOf(this.page.view.value)].filter(Boolean).join(" ") : "the query"}`;
  }

  private remarkOf(listed: Listed): string {
    const { view, about } = this.page;
    if (listed.state === "failed") return "";
    if (listed.kind === "taught") return `${count(listed.total, "tile")} in the order that your marks teach${view.value.score === null ? "" : `, score ${view.value.score.toFixed(2)} or more`}`;
    if (!listed.found) return "";
    const radius = view.value.radius;
    const by = othersOf(view.value) === "" ? "by Hamming distance" : "by bits weighed by agreement";
    const within = radius === null ? by : `at most ${radius} of ${about.bits} bits apart`;
    return [`${count(listed.total, "tile")} ${within}`, this.right(listed)].filter(Boolean).join(" · ");
  }

  /** The share of the list that is expected to be right, where the archive is calibrated. */
  private right(listed: Listed): string {
    const expected = listed.found?.expected?.[this.page.view.value.radius ?? this.page.about.bits];
    return typeof expected === "number" && this.page.view.value.radius !== null ? `${percent(expected)} expected right` : "";
  }

  private showEmpty(listed: Listed): void {
    this.empty.hidden = listed.state === "failed" || listed.total > 0;
    const { radius, score } = this.page.view.value;
    const why = score !== null ? `No tile scores ${score} under these filters.` : radius !== null ? `No tile within ${radius} bits under these filters.` : "No tile under these filters.";
    fill(this.empty, h("p", {}, why), button("Clear filters and cut-off", () => this.page.show({ label: [], scene: [], since: "", until: "", bbox: null, where: "", radius: null, score: null }), { class: "button" }));
  }

  private click(item: Item, event: MouseEvent): void {
    if (event.shiftKey) {
      this.select(item, true);
      return;
    }
    const does = this.page.click.value;
    if (does === "like") this.page.like(item);
    else this.page.teaching.mark(item, does);
  }

  /** Selects a tile, or with `range` all from the last one that was selected to it. */
  private select(item: Item, range: boolean): void {
    const place = this.page.listing.indexOf(item.id);
    if (range) void this.extend(this.grid.focused, place);
    else this.page.selection.toggle(item.id, place);
  }

  /** Selects all from the last tile that was selected, or from another place where none was, to a place. */
  private async extend(otherwise: number, to: number): Promise<void> {
    const { selection, listing, about, status } = this.page;
    const from = selection.rangeFrom(otherwise);
    const most = about.limits.export;
    if (Math.abs(to - from) >= most) this.trouble.show(`At most ${count(most, "tile")} are selected at once. Cut the list by a filter, or save all of it.`);
    else selection.extend((await status.during("Selecting…", listing.between(from, to))).map((item) => item.id));
  }

  private key(index: number, event: KeyboardEvent): void {
    const item = this.page.listing.item(index);
    if (!item) return;
    const { teaching, selection, looked } = this.page;
    const mark = (which: "right" | "wrong"): void => {
      teaching.mark(item, which);
      this.grid.focus(index + 1);
    };
    const keys: Record<string, () => void> = {
      y: () => mark("right"),
      n: () => mark("wrong"),
      u: () => teaching.undo(),
      U: () => teaching.redo(),
      x: () => this.select(item, false),
      X: () => this.select(item, true),
      l: () => (looked.value = item),
      Escape: () => selection.clear(),
    };
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  private redrawIds(ids: string[]): void {
    for (const id of ids) {
      const index = this.page.listing.indexOf(id);
      if (index >= 0) this.grid.redraw(index);
    }
  }

  private point(id: string | null): void {
    for (const tile of this.grid.element.querySelectorAll("[data-pointed]")) tile.removeAttribute("data-pointed");
    if (id !== null) this.grid.element.querySelector(`[data-id="${CSS.escape(id)}"]`)?.setAttribute("data-pointed", "");
  }
}
