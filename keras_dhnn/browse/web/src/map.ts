// The map: footprints of what is listed over land and scenes, linked with the tiles; a box drawn on it filters.

import L from "leaflet";
import { api, isAborted } from "./api";
import { button, h, setAttribute } from "./dom";
import { ScenePicture } from "./scenepicture";
import { icon } from "./icons";
import type { Page } from "./page";
import { Trouble } from "./status";
import type { Box, Footprints, Item, Polygon, Scene } from "./types";
import { shownParams } from "./view";

const MOST = 1000; // footprints that are drawn

export class MapPanel {
  readonly element: HTMLElement;
  private readonly frame = h("div", { class: "map", attrs: { "aria-busy": "true" } });
  private readonly drawButton = button("Draw a box", () => this.arm(!this.armed), { class: "button", attrs: { "aria-pressed": "false" } });
  private readonly trouble = new Trouble();
  private readonly map: L.Map;
  private readonly scenes = L.layerGroup();
  private readonly footprints = L.layerGroup();
  private readonly byId = new Map<string, { item: Item; layer: L.GeoJSON }>();
  private box: L.Rectangle | null = null;
  private armed = false;
  private fitted = "";
  private running = new AbortController();

  constructor(
    private readonly page: Page,
    private readonly focus: (id: string) => void,
  ) {
    this.drawButton.prepend(icon("box"));
    const fit = button("Fit", () => this.fit(), { class: "button", title: "Show all footprints" });
    this.element = h("section", { class: "panel map-panel", attrs: { "aria-label": "Map" } }, h("div", { class: "row map-tools" }, this.drawButton, fit), this.trouble.element, this.frame);
    this.map = L.map(this.frame, { preferCanvas: true, zoomAnimation: false, fadeAnimation: false, attributionControl: false, worldCopyJump: true, zoomSnap: 0.25, center: [20, 0], zoom: 1 });
    this.scenes.addTo(this.map);
    this.footprints.addTo(this.map);
    L.control.scale({ imperial: false }).addTo(this.map);
    this.map.on("mousedown", (event) => this.armed && this.draw(event));
    new ResizeObserver(() => this.map.invalidateSize()).observe(this.frame);
    page.listing.listed.on((listed) => listed.state === "ready" && this.update());
    page.listing.arrived.on(() => this.update());
    page.hovered.on((id, before) => this.point(id, before));
    page.view.on(() => this.showBox());
    void this.base();
  }

  /** Draws the footprints of what is listed, if the map is in sight. */
  update(): void {
    if (!this.element.isConnected || this.element.hidden) return;
    this.map.invalidateSize({ animate: false, pan: false });
    const { listing } = this.page;
    if (listing.listed.value.kind === "wall") void this.updateWall();
    else this.show(listing.known().slice(0, MOST));
    this.showBox();
  }

  /** A wall is in a mixed order: a sample of the whole archive says more than its first page. */
  private async updateWall(): Promise<void> {
    this.running.abort();
    const { signal } = (this.running = new AbortController());
    setAttribute(this.frame, "aria-busy", "true");
    try {
      const query = shownParams(this.page.view.value);
      query.set("limit", String(MOST));
      const found: Footprints = await api.footprints(query, signal);
      this.show(found.features.map((feature) => ({ ...feature.properties, geometry: feature.geometry })));
    } catch (error) {
      if (isAborted(error)) return;
      this.trouble.show(error instanceof Error ? error.message : String(error));
      setAttribute(this.frame, "aria-busy", "false");
    }
  }

  private async base(): Promise<void> {
    const land = (await (await fetch("static/land.json")).json()) as GeoJSON.GeoJsonObject;
    const pane = this.map.createPane("land");
    pane.style.zIndex = "150";
    L.geoJSON(land, { pane: "land", interactive: false, style: { className: "land", weight: 1, renderer: L.svg({ pane: "land" }) } }).addTo(this.map);
    const scenes = await api.scenes(this.page.shownSource().name).catch((): Scene[] => []);
    for (const scene of scenes.slice(0, 100)) this.addScene(scene);
  }

  private addScene(scene: Scene): void {
    if (scene.corners && scene.width) new ScenePicture(scene.overview, scene.corners, `The scene ${scene.scene}`).addTo(this.scenes);
  }

  private show(items: Item[]): void {
    this.trouble.clear();
    this.footprints.clearLayers();
    this.byId.clear();
    const placed = items.filter((item) => item.geometry || item.bbox);
    for (const item of placed.reverse()) this.addFootprint(item);
    if (!placed.length) this.trouble.show("None of these tiles has a place on the ground.");
    const key = shownParams(this.page.view.value).toString() + this.page.listing.listed.value.kind;
    // The ground does not move away from below a box that is being drawn.
    if (placed.length && key !== this.fitted && !this.page.view.value.bbox && !this.armed) {
      this.fitted = key;
      this.fit();
    }
    setAttribute(this.frame, "aria-busy", "false");
  }

  private addFootprint(item: Item): void {
    const geometry = (item.geometry ?? rectangle(item.bbox as Box)) as GeoJSON.Polygon;
    const layer = L.geoJSON(geometry, { style: () => this.style(item, false) });
    layer.on("mouseover", () => (this.page.hovered.value = item.id));
    layer.on("mouseout", () => (this.page.hovered.value = null));
    layer.on("click", () => !this.armed && this.focus(item.id));
    layer.addTo(this.footprints);
    this.byId.set(item.id, { item, layer });
  }

  /** The nearer an answer, the thicker its outline. */
  private style({ id, distance }: Item, pointed: boolean): L.PathOptions {
    const tone = getComputedStyle(this.element);
    const mark = this.page.teaching.markOf(id);
    const colour = tone.getPropertyValue(mark === "right" ? "--right" : mark === "wrong" ? "--wrong" : "--accent");
    const near = typeof distance === "number" ? Math.max(0, 1 - (3 * distance) / this.page.about.bits) : 0;
    return { color: pointed ? tone.getPropertyValue("--focus") : colour, weight: pointed ? 5 : 1.5 + 3 * near, fillColor: colour, fillOpacity: pointed ? 0.3 : 0.08 };
  }

  private point(id: string | null, before: string | null): void {
    const [left, reached] = [this.byId.get(before ?? ""), this.byId.get(id ?? "")];
    left?.layer.setStyle(this.style(left.item, false));
    reached?.layer.setStyle(this.style(reached.item, true)).bringToFront();
  }

  private fit(): void {
    const shown = [...this.byId.values()];
    if (!shown.length) return;
    const bounds = shown.reduce((all, { layer }) => all.extend(layer.getBounds()), L.latLngBounds([]));
    this.map.fitBounds(bounds, { padding: [24, 24], animate: false });
  }

  private arm(armed: boolean): void {
    this.armed = armed;
    setAttribute(this.drawButton, "aria-pressed", String(armed));
    this.frame.classList.toggle("drawing", armed);
    if (armed) this.map.dragging.disable();
    else this.map.dragging.enable();
  }

  private draw(start: L.LeafletMouseEvent): void {
    this.box?.remove();
    const box = (this.box = L.rectangle(L.latLngBounds(start.latlng, start.latlng), this.boxStyle()).addTo(this.map));
    // Also beyond the map's edges, where Leaflet sees no pointer: the box ends there.
    const reach = (event: PointerEvent): void => void box.setBounds(L.latLngBounds(start.latlng, this.placeOf(event)));
    addEventListener("pointermove", reach);
    const end = (event: PointerEvent): void => {
      removeEventListener("pointermove", reach);
      reach(event);
      this.arm(false);
      const bounds = box.getBounds();
      const round = (degrees: number): number => Math.round(degrees * 1e6) / 1e6;
      const bbox: Box = [round(bounds.getWest()), round(bounds.getSouth()), round(bounds.getEast()), round(bounds.getNorth())];
      if (bbox[0] < bbox[2] && bbox[1] < bbox[3]) this.page.show({ bbox });
      else this.showBox();
    };
    addEventListener("pointerup", end, { once: true });
  }

  /** Returns the place below the pointer, or the nearest one that the map shows. */
  private placeOf(event: PointerEvent): L.LatLng {
    const [point, size] = [this.map.mouseEventToContainerPoint(event), this.map.getSize()];
    const within = (value: number, most: number): number => Math.min(Math.max(value, 0), most);
    return this.map.containerPointToLatLng([within(point.x, size.x), within(point.y, size.y)]);
  }

  private showBox(): void {
    this.box?.remove();
    this.box = null;
    const { bbox } = this.page.view.value;
    if (bbox) this.box = L.rectangle([[bbox[1], bbox[0]], [bbox[3], bbox[2]]], this.boxStyle()).addTo(this.map);
  }

  private boxStyle(): L.PathOptions {
    return { color: getComputedStyle(this.element).getPropertyValue("--focus"), weight: 2, dashArray: "6 4", fill: false, interactive: false };
  }
}

function rectangle([west, south, east, north]: Box): Polygon {
  return { type: "Polygon", coordinates: [[[west, south], [east, south], [east, north], [west, north], [west, south]]] };
}
