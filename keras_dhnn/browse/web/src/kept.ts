// Searches that were taught before and kept on disk.

import { api, inWords } from "./api";
import { button, fill, h } from "./dom";
import { icon } from "./icons";
import type { Page } from "./page";
import { Trouble } from "./status";
import type { Kept } from "./types";
import { NO_QUERY } from "./view";
import { count, when } from "./words";

export class KeptSearches {
  private readonly list = h("ul", { class: "kept" });
  private readonly trouble = new Trouble();
  readonly element = h("div", { hidden: true }, h("h3", {}, "Kept searches"), this.list, this.trouble.element);
  private open = "";

  constructor(private readonly page: Page) {}

  /** Lists them anew; `open` is the one on the page. */
  async load(open: string): Promise<void> {
    this.open = open;
    try {
      const searches = (await api.searches()).filter((kept) => kept.name !== this.open);
      this.element.hidden = !searches.length;
      fill(this.list, ...searches.map((kept) => this.row(kept)));
    } catch (error) {
      this.element.hidden = false;
      this.trouble.show(inWords(error));
    }
  }

  private row(kept: Kept): HTMLElement {
    const show = button(kept.name, () => this.page.teaching.open(kept), { class: "link kept-name" });
    const forget = button(icon("close"), () => void this.forget(kept.name), { class: "button square quiet", title: "Delete", attrs: { "aria-label": `Delete ${kept.name}` } });
    const facts = [when(kept.changed), `${count(kept.right)} right, ${count(kept.wrong)} wrong`, kept.source && this.page.about.sources.length > 1 && kept.source];
    const date = h("span", { class: "hint kept-facts" }, facts.filter(Boolean).join(" · "));
    return h("li", {}, h("span", { class: "kept-words" }, show, date), forget);
  }

  private async forget(name: string): Promise<void> {
    if (!confirm(`Delete the search “${name}” and its marks?`)) return;
    try {
      await api.forget(name);
      if (this.page.view.value.taught === name) this.page.show(NO_QUERY);
      await this.load(this.open);
    } catch (error) {
      this.trouble.show(inWords(error));
    }
  }
}
