// Filters by scene, time, place and a condition; which of them are on stands above the tiles too.

import { button, fill, h } from "./dom";
import { icon } from "./icons";
import type { Page } from "./page";
import { Trouble } from "./status";
import type { Facets } from "./types";
import { hasFilters, NO_FILTERS, parseBox, type View } from "./view";
import { count, day, daysAfter, sceneNames } from "./words";

export class Filters {
  readonly element: HTMLElement;
  /** The filters that are on, each with a cross. */
  readonly pills = h("div", { class: "pills", hidden: true, attrs: { role: "group", "aria-label": "Filters that are on" } });
  private readonly scenes = h("div", { class: "scenes" });
  private readonly sceneGroup = h("fieldset", { hidden: true }, h("legend", {}, "Scene"), this.scenes);
  private readonly since = this.date("From", (first) => ({ since: first }));
  /** An address has the day after the last one, as the command line does. */
  private readonly until = this.date("Until", (last) => ({ until: daysAfter(last, 1) ?? last }));
  private readonly span = h("p", { class: "hint" });
  private readonly timeGroup = h("fieldset", { hidden: true }, h("legend", {}, "Time"), h("div", { class: "row" }, this.since.label, this.until.label), this.span);
  private readonly sides = ["West", "South", "East", "North"].map((side) => h("input", { type: "text", class: "field", placeholder: side, attrs: { "aria-label": `${side}, degrees`, inputmode: "decimal" } }));
  private readonly boxTrouble = new Trouble();
  private readonly boxGroup = h("fieldset", { hidden: true }, h("legend", {}, "Box in degrees"), h("form", { class: "box-form", on: { submit: (event) => this.applyBox(event) } }, ...this.sides, h("button", { type: "submit", class: "button" }, "Apply")), this.boxTrouble.element);
  private readonly where = h("input", { type: "text", class: "field", placeholder: "row < 512 and label <> 'cloud'", spellcheck: false, attrs: { "aria-label": "Condition in SQL" } });

  constructor(private readonly page: Page) {
    const apply = (event: Event): void => {
      event.preventDefault();
      page.show({ where: this.where.value.trim() });
    };
    const condition = h("form", { class: "row", on: { submit: apply } }, this.where, h("button", { type: "submit", class: "button" }, "Apply"));
    this.element = h("section", { class: "card", attrs: { "aria-label": "Filters" } }, h("h2", {}, "Filters"), this.sceneGroup, this.timeGroup, this.boxGroup, h("fieldset", {}, h("legend", {}, "Condition"), condition));
    page.view.on((view) => this.follow(view));
    this.follow(page.view.value);
  }

  show(facets: Facets): void {
    const view = this.page.view.value;
    this.sceneGroup.hidden = facets.scenes.length < 2 && !view.scene.length;
    this.timeGroup.hidden = !facets.time && !view.since && !view.until;
    this.boxGroup.hidden = !this.page.shownSource().placed;
    if (facets.time) this.span.textContent = `These tiles: ${day(facets.time[0])} to ${day(facets.time[1])}`;
    const focus = document.activeElement instanceof HTMLInputElement && this.scenes.contains(document.activeElement) ? document.activeElement.value : undefined;
    const names = sceneNames(facets.scenes.map(({ scene }) => scene));
    fill(this.scenes, ...facets.scenes.map(({ scene, count: number }, at) => this.scene(scene, names[at] ?? scene, number)));
    if (focus !== undefined) this.scenes.querySelector<HTMLElement>(`[value="${CSS.escape(focus)}"]`)?.focus();
  }

  private scene(scene: string, name: string, number: number): HTMLElement {
    const chosen = this.page.view.value.scene;
    const toggle = (): void => this.page.show({ scene: chosen.includes(scene) ? chosen.filter((other) => other !== scene) : [...chosen, scene] });
    return h("label", { class: "check" }, h("input", { type: "checkbox", value: scene, checked: chosen.includes(scene), on: { change: toggle } }), h("span", { class: "check-name", title: scene }, name), h("span", { class: "hint" }, count(number)));
  }

  private date(name: string, filter: (chosen: string) => Partial<View>): { label: HTMLElement; input: HTMLInputElement } {
    const input = h("input", { type: "date", class: "field", on: { change: () => this.page.show(filter(input.value)) } });
    return { label: h("label", { class: "labelled" }, name, input), input };
  }

  private applyBox(event: Event): void {
    event.preventDefault();
    const given = this.sides.map((side) => side.value.trim());
    const bbox = given.some((side) => side === "") ? null : parseBox(given.join(","));
    this.boxTrouble.clear();
    if (given.every((side) => side === "")) this.page.show({ bbox: null });
    else if (!bbox || bbox[0] >= bbox[2] || bbox[1] >= bbox[3]) this.boxTrouble.show("A box needs four numbers: west below east, south below north, as in 10.1, 53.4, 10.3, 53.6.");
    else this.page.show({ bbox });
  }

  private follow(view: View): void {
    this.since.input.value = day(view.since);
    this.until.input.value = daysAfter(view.until, -1) ?? day(view.until);
    this.where.value = view.where;
    this.sides.forEach((side, at) => (side.value = view.bbox ? String(view.bbox[at]) : ""));
    this.fillPills(view);
  }

  private fillPills(view: View): void {
    const pill = (text: string, without: Partial<View>): HTMLElement => {
      const element = button(text, () => this.page.show(without), { class: "pill", attrs: { "aria-label": `Remove filter: ${text}` } });
      element.append(icon("close"));
      return element;
    };
    const pills = view.scene.map((scene) => pill(scene, { scene: view.scene.filter((other) => other !== scene) }));
    const last = daysAfter(view.until, -1);
    if (view.since) pills.push(pill(`from ${view.since}`, { since: "" }));
    if (view.until) pills.push(pill(last ? `until ${last}` : `before ${view.until}`, { until: "" }));
    if (view.bbox) pills.push(pill(`within ${view.bbox.join(", ")}`, { bbox: null }));
    if (view.where) pills.push(pill(view.where, { where: "" }));
    fill(this.pills, ...pills, pills.length > 0 && button("Clear filters", () => this.page.show(NO_FILTERS), { class: "link" }));
    this.pills.hidden = !pills.length || !hasFilters(view);
  }
}
