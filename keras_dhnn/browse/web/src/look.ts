// A tile seen large, with all that is known of it.

import { thumb } from "./api";
import { strip } from "./bits";
import { button, fill, h } from "./dom";
import type { Page } from "./page";
import type { Item } from "./types";
import { percent } from "./words";

export class Look {
  private readonly body = h("div", { class: "look-body" });
  private readonly dialog = h("dialog", { class: "dialog look", attrs: { "aria-label": "Tile" } }, this.body);

  constructor(private readonly page: Page) {
    document.body.append(this.dialog);
    this.dialog.addEventListener("close", () => (page.looked.value = null));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    page.looked.on((item) => {
      if (item) this.show(item);
    });
  }

  private show(item: Item): void {
    const query = this.page.listing.listed.value.query;
    const picture = h("img", { src: thumb(item, 512), alt: item.label ?? item.id });
    const beside = query?.thumb ? h("figure", {}, h("img", { src: `${query.thumb}&side=512`, alt: `The query, ${query.name}` }), h("figcaption", {}, "query")) : null;
    const facts = h("dl", { class: "facts" }, ...this.facts(item).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
    const act = (text: string, does: () => void, primary = false): HTMLElement => button(text, () => (this.dialog.close(), does()), { class: primary ? "button primary" : "button" });
    const buttons = h("div", { class: "row end" }, act("Right", () => this.page.teaching.mark(item, "right")), act("Wrong", () => this.page.teaching.mark(item, "wrong")), act("More like this", () => this.page.like(item), true), button("Close", () => this.dialog.close(), { class: "button" }));
    fill(this.body, h("h2", {}, item.label ?? "Tile"), h("div", { class: "look-pictures" }, h("figure", {}, picture, beside && h("figcaption", {}, "tile")), beside), strip(item.code, query?.code), facts, buttons);
    if (!this.dialog.open) this.dialog.showModal();
  }

  private facts(item: Item): [string, string][] {
    const { bits } = this.page.about;
    const facts: [string, string | null | undefined | false][] = [
      ["Id", item.id],
      ["Label", item.label],
      [item.score === undefined ? "Distance" : "Nearest right one", typeof item.distance === "number" && `${item.distance} of ${bits} bits differ, ${bits - item.distance} match`],
      ["Expected right", typeof item.precision === "number" && percent(item.precision)],
      ["Score", item.score?.toFixed(3)],
      ["Scene", item.scene],
      ["Pixels", item.row !== null && item.col !== null && `row ${item.row}, column ${item.col}${item.size ? `, ${item.size} wide` : ""}`],
      ["Time", item.time],
      ["Place", item.bbox && `${item.bbox.map((side) => side.toFixed(6)).join(", ")} (west, south, east, north)`],
      ["Hash code", item.code],
    ];
    return facts.filter((fact): fact is [string, string] => Boolean(fact[1]));
  }
}
