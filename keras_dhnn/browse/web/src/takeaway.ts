// The bar of chosen tiles, and the forms in which they, or the whole list, leave.

import { api, inWords } from "./api";
import { button, h } from "./dom";
import type { Page } from "./page";
import { saveFile } from "./save";
import { Trouble } from "./status";
import { formatView } from "./view";
import { count } from "./words";

const FORMATS = { csv: "CSV", geojson: "GeoJSON", geoparquet: "GeoParquet", zip: "Zip of tiles" } as const;

export class Takeaway {
  readonly element: HTMLElement;
  private readonly words = h("strong", { class: "takeaway-count" });
  private readonly trouble = new Trouble();
  private readonly clear = button("Clear", () => this.page.selection.clear(), { class: "link" });

  constructor(private readonly page: Page) {
    const forms = (Object.keys(FORMATS) as (keyof typeof FORMATS)[]).map((format) => button(FORMATS[format], () => void this.take(format), { class: "button" }));
    this.element = h("section", { class: "takeaway", attrs: { "aria-label": "Export" } }, this.words, this.clear, h("span", { class: "takeaway-forms" }, h("span", { class: "hint" }, "Save as"), ...forms), this.trouble.element);
    page.selection.ids.on(() => this.update());
    page.listing.listed.on(() => this.update());
    this.update();
  }

  private update(): void {
    const chosen = this.page.selection.ids.value.size;
    const { total, state } = this.page.listing.listed.value;
    const most = this.page.about.limits.export;
    this.words.textContent = chosen ? `${count(chosen, "tile")} selected` : total > most ? `First ${count(most, "tile")}` : `All ${count(total, "tile")}`;
    this.clear.hidden = !chosen;
    this.element.hidden = state === "failed" || (!chosen && !total);
    this.element.toggleAttribute("data-chosen", chosen > 0);
  }

  private async take(format: keyof typeof FORMATS): Promise<void> {
    const { selection, about } = this.page;
    const ids = [...selection.ids.value];
    const source = this.page.shownSource().name;
    const view = formatView({ ...this.page.view.value, panel: "" });
    const wanted = ids.length ? { format, source, ids, view } : { format, source, view, limit: about.limits.export };
    this.trouble.clear();
    try {
      const file = await this.page.status.during(`Preparing ${FORMATS[format]}…`, api.export(wanted));
      saveFile(file);
      this.page.status.say(`Saved ${file.name}`);
    } catch (error) {
      this.trouble.show(inWords(error));
    }
  }
}
