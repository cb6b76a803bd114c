// One tile: its picture, the hash code as a strip, what is known of it, and what can be done with it.

import { thumb } from "./api";
import { strip } from "./bits";
import { button, h, setAttribute } from "./dom";
import { icon } from "./icons";
import { loadPicture } from "./pictures";
import type { Item, Mark } from "./types";
import { count, describe, percent, shortName } from "./words";

export interface Shown {
  bits: number;
  /** The query's code and label, where there is a query. */
  code: string | undefined;
  label: string | null;
  mark: Mark | null;
  selected: boolean;
}

export interface Actions {
  click(item: Item, event: MouseEvent): void;
  mark(item: Item, mark: Mark): void;
  select(item: Item, event: MouseEvent): void;
  look(item: Item): void;
  hover(item: Item | null): void;
}

export function makeTile(item: Item, shown: Shown, actions: Actions): HTMLElement {
  const truth = shown.mark ? null : truthOf(item, shown.label);
  const picture = h(
    "button",
    { type: "button", class: "picture", attrs: { "aria-label": describe({ ...item, mark: shown.mark }, shown.bits) }, on: { click: (event) => actions.click(item, event) } },
    image(item),
    shown.mark ? badge(shown.mark, `marked ${shown.mark}`) : truth && badge(truth, truth === "right" ? "of the query's label" : "of another label"),
  );
  const tile = h(
    "div",
    { class: "tile", attrs: { "data-mark": shown.mark, "data-truth": truth, "data-selected": shown.selected }, on: { pointerenter: () => actions.hover(item), pointerleave: () => actions.hover(null), focusin: () => actions.hover(item) } },
    picture,
    controls(item, shown, actions),
    shown.code !== undefined && strip(item.code, shown.code),
    caption(item),
  );
  tile.dataset.id = item.id;
  return tile;
}

/** A tile whose item has not come yet. */
export function emptyTile(): HTMLElement {
  return h("div", { class: "tile waiting" }, h("button", { type: "button", class: "picture", attrs: { "aria-label": "on its way" } }));
}

function image(item: Item): HTMLElement {
  const picture = h("img", { alt: "", decoding: "async", draggable: false });
  picture.addEventListener("error", () => picture.replaceWith(h("span", { class: "no-picture" }, "picture not found")));
  return loadPicture(picture, thumb(item, devicePixelRatio > 1 ? 256 : 128));
}

function truthOf(item: Item, label: string | null): Mark | null {
  return label === null || item.label === null ? null : item.label === label ? "right" : "wrong";
}

function badge(mark: Mark, title: string): HTMLElement {
  return h("span", { class: `badge ${mark}`, title }, icon(mark === "right" ? "check" : "cross"));
}

function controls(item: Item, shown: Shown, actions: Actions): HTMLElement {
  const control = (name: Parameters<typeof icon>[0], text: string, pressed: boolean | null, act: (event: MouseEvent) => void): HTMLElement => {
    const element = button(icon(name), act, { class: "control", title: text });
    setAttribute(element, "aria-label", text);
    if (pressed !== null) setAttribute(element, "aria-pressed", String(pressed));
    return element;
  };
  return h(
    "div",
    { class: "controls" },
    control("check", "right (y)", shown.mark === "right", () => actions.mark(item, "right")),
    control("cross", "wrong (n)", shown.mark === "wrong", () => actions.mark(item, "wrong")),
    control("select", "select (x); with Shift, from the last one to here", shown.selected, (event) => actions.select(item, event)),
    control("look", "look closer (l)", null, () => actions.look(item)),
  );
}

function caption(item: Item): HTMLElement {
  return h("div", { class: "caption", title: item.id }, h("div", { class: "caption-name" }, item.label ?? shortName(item.id)), h("div", { class: "caption-number" }, number(item)));
}

function number(item: Item): string {
  if (item.score !== undefined) return `score ${item.score.toFixed(2)}`;
  if (item.distance === undefined || item.distance === null) return "";
  const apart = count(item.distance, "bit");
  return typeof item.precision === "number" ? `${apart} · ${percent(item.precision)} right` : `${apart} apart`;
}
