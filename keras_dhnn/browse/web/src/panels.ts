// Which panel lies beside the tiles: none, the similarity layout, or the map.

import { button, h, setAttribute } from "./dom";
import { icon } from "./icons";
import type { MapPanel } from "./map";
import type { Page } from "./page";
import { SimilarityPanel } from "./similarity";
import type { Panel } from "./view";

export class Panels {
  readonly element = h("div", { class: "beside", hidden: true });
  readonly tabs: HTMLElement;
  private readonly similarity: SimilarityPanel;
  private map: MapPanel | null = null;

  constructor(
    private readonly page: Page,
    private readonly focus: (id: string) => void,
  ) {
    this.similarity = new SimilarityPanel(page);
    this.similarity.element.hidden = true;
    this.element.append(this.similarity.element);
    this.tabs = this.makeTabs();
    page.view.on(() => void this.follow());
  }

  private makeTabs(): HTMLElement {
    const tab = (panel: Panel, name: "tiles" | "similarity" | "map", text: string): HTMLElement => {
      const element = button(icon(name), () => this.open(panel), { class: "tab" });
      element.append(h("span", {}, text));
      const follow = (): void => setAttribute(element, "aria-pressed", String(this.page.view.value.panel === panel && !this.queryOpen));
      this.page.view.on(follow);
      addEventListener("rail", follow);
      follow();
      return element;
    };
    const query = button(icon("query"), () => this.openQuery(!this.queryOpen), { class: "tab tab-query", attrs: { "aria-pressed": "false" } });
    query.append(h("span", {}, "Query"));
    addEventListener("rail", () => setAttribute(query, "aria-pressed", String(this.queryOpen)));
    const map = tab("map", "map", "Map");
    map.hidden = !this.page.about.sources.some((source) => source.placed);
    return h("nav", { class: "tabs", attrs: { "aria-label": "Views" } }, query, tab("", "tiles", "Tiles"), tab("similarity", "similarity", "Similarity"), map);
  }

  private get queryOpen(): boolean {
    return document.body.hasAttribute("data-rail");
  }

  /** On narrow screens the query's panel lies over the tiles. */
  openQuery(open: boolean): void {
    document.body.toggleAttribute("data-rail", open);
    dispatchEvent(new Event("rail"));
  }

  private open(panel: Panel): void {
    this.openQuery(false);
    this.page.show({ panel }, true);
  }

  /** Shows the panel that the address names. */
  async follow(): Promise<void> {
    const { panel } = this.page.view.value;
    this.element.hidden = panel === "";
    document.body.dataset.panel = panel;
    this.similarity.element.hidden = panel !== "similarity";
    if (this.map) this.map.element.hidden = panel !== "map";
    if (panel === "similarity") await this.similarity.load();
    if (panel === "map") await this.showMap();
  }

  private async showMap(): Promise<void> {
    if (!this.map) {
      const { MapPanel } = await this.page.status.during("Opening the map…", import("./map"));
      this.map ??= new MapPanel(this.page, this.focus);
      this.element.append(this.map.element);
    }
    this.map.update();
  }
}
