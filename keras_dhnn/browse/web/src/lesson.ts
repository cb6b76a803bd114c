// The panel of teaching: marks, what to mark next, how good the order is, and searches that were kept.

import { inWords, thumb } from "./api";
import { button, fill, h, setAttribute } from "./dom";
import { icon } from "./icons";
import { KeptSearches } from "./kept";
import type { Click, Page } from "./page";
import { saveFile } from "./save";
import { Trouble } from "./status";
import type { Lesson } from "./teaching";
import type { Estimate, Item, Taught } from "./types";
import { count, percent, shortName } from "./words";

export class LessonPanel {
  readonly element: HTMLElement;
  private readonly tally = h("p", { class: "tally" });
  private readonly undo = this.step("undo");
  private readonly redo = this.step("redo");
  private readonly suggestions = h("div", { class: "suggestions", attrs: { role: "group", "aria-label": "Most useful to mark next" } });
  private readonly estimates = h("div", { class: "estimates" });
  private readonly keeping = h("div", { class: "keeping", hidden: true });
  private readonly name = h("input", { type: "text", class: "field", attrs: { "aria-label": "Name of this search" } });
  private readonly trouble = new Trouble();
  private readonly kept: KeptSearches;

  constructor(private readonly page: Page) {
    this.kept = new KeptSearches(page);
    this.name.maxLength = page.about.limits.name;
    this.fillKeeping();
    const head = h("div", { class: "row" }, this.tally, this.undo, this.redo);
    this.element = h("section", { class: "card", attrs: { "aria-label": "Teach" } }, h("h2", {}, "Teach"), head, this.choiceOfClick(), this.trouble.element, this.suggestions, this.estimates, this.keeping, this.kept.element);
    page.teaching.lesson.on((lesson, before) => this.show(lesson, before));
    this.show(page.teaching.lesson.value);
  }

  private step(which: "undo" | "redo"): HTMLButtonElement {
    const name = which === "undo" ? "Undo" : "Redo";
    return button(icon(which), () => this.page.teaching[which](), { class: "button square", title: name, attrs: { "aria-label": name } });
  }

  private choiceOfClick(): HTMLElement {
    const option = (does: Click, text: string): HTMLElement => {
      const element = button(text, () => (this.page.click.value = does), { class: "segment", attrs: { "aria-pressed": String(does === "like") } });
      this.page.click.on((now) => setAttribute(element, "aria-pressed", String(now === does)));
      return element;
    };
    return h("div", { class: "clicks", attrs: { role: "group", "aria-label": "A click on a tile" } }, h("span", { class: "hint" }, "A click"), h("div", { class: "segments" }, option("like", "finds alike"), option("right", "is right"), option("wrong", "is wrong")));
  }

  private show(lesson: Lesson, before?: Lesson): void {
    const { taught, marks, name } = lesson;
    const all = Object.values(marks);
    const right = all.filter((mark) => mark === "right").length;
    fill(this.tally, all.length ? h("span", {}, h("b", { class: "right" }, count(right)), " right, ", h("b", { class: "wrong" }, count(all.length - right)), " wrong") : "Mark tiles right or wrong, and the order learns from it.");
    this.undo.hidden = this.redo.hidden = !name;
    this.undo.disabled = !taught?.undo;
    this.redo.disabled = !taught?.redo;
    // Not at every change: the answer to a mark would take away what a new name was refused for.
    if (lesson.problem !== (before?.problem ?? "") || name !== before?.name) this.trouble.show(lesson.problem);
    this.keeping.hidden = !name;
    if (document.activeElement !== this.name) this.name.value = name;
    if (taught !== before?.taught || !taught) this.showTaught(taught, name);
    if (name !== before?.name) void this.kept.load(name);
  }

  private showTaught(taught: Taught | null, name: string): void {
    const suggested = taught?.suggestions ?? [];
    const focus = [...this.suggestions.querySelectorAll("button")].findIndex((each) => each === document.activeElement);
    fill(this.suggestions, suggested.length > 0 && h("h3", {}, "Most useful to mark next"), suggested.length > 0 && h("div", { class: "suggested" }, ...suggested.map((item) => this.suggestion(item))));
    if (focus >= 0) this.suggestions.querySelectorAll("button")[focus]?.focus();
    const rows = this.estimateRows(taught?.precision ?? []);
    const still = !taught || !name ? "" : !taught.ready ? "One tile marked right is needed before the order can learn." : rows.length ? "" : "More marks among the best are needed to estimate precision.";
    fill(this.estimates, ...rows, still !== "" && h("p", { class: "hint" }, still));
  }

  private suggestion(item: Item): HTMLElement {
    const name = item.label ?? shortName(item.id);
    const mark = (which: "right" | "wrong"): HTMLElement =>
      button(icon(which === "right" ? "check" : "cross"), () => this.page.teaching.mark(item, which), { class: `mark ${which}`, attrs: { "aria-label": `${name} is ${which}` } });
    const look = button(h("img", { src: thumb(item, 128), alt: "" }), () => (this.page.looked.value = item), { class: "suggested-picture", attrs: { "aria-label": `Look closer: ${name}` } });
    return h("div", { class: "suggestion" }, look, h("div", { class: "suggestion-marks" }, mark("right"), mark("wrong")));
  }

  private estimateRows(precision: Estimate[]): HTMLElement[] {
    const known = precision.filter((each) => each.estimate !== null);
    if (!known.length) return [];
    const rows = known.map(({ k, estimate, low, high, marked }) => {
      const range = low !== null && high !== null ? `${percent(low)} to ${percent(high)}` : "";
      const meter = h("span", { class: "meter", attrs: { "aria-hidden": "true" } }, h("span", { class: "meter-range" }), h("span", { class: "meter-mark" }));
      const [span, at] = [meter.children[0] as HTMLElement, meter.children[1] as HTMLElement];
      Object.assign(span.style, { left: `${100 * (low ?? 0)}%`, right: `${100 * (1 - (high ?? 1))}%` });
      at.style.left = `${100 * (estimate ?? 0)}%`;
      return h("tr", {}, h("th", { scope: "row" }, `first ${k}`), h("td", {}, meter), h("td", { title: range && `likely ${range}` }, percent(estimate ?? 0)), h("td", { class: "hint" }, `${marked} marked`));
    });
    return [h("h3", {}, "Estimated precision"), h("table", {}, h("tbody", {}, ...rows))];
  }

  private fillKeeping(): void {
    const rename = (event: Event): void => {
      event.preventDefault();
      void this.rename();
    };
    const form = h("form", { class: "row", on: { submit: rename } }, this.name, h("button", { type: "submit", class: "button" }, "Rename"));
    const labels = button("Export labels (CSV)", () => void this.exportLabels(), { class: "button wide", title: "A table for encode --labels and, of tiles that are whole files, for prepare --labels" });
    fill(this.keeping, h("h3", {}, "Kept as"), form, labels);
  }

  private async rename(): Promise<void> {
    await this.attempt(this.page.teaching.rename(this.name.value.trim()));
    await this.kept.load(this.page.teaching.lesson.value.name);
  }

  private async exportLabels(): Promise<void> {
    await this.attempt(this.page.status.during("Writing labels…", this.page.teaching.labels()).then(saveFile));
  }

  private async attempt(work: Promise<void>): Promise<void> {
    try {
      this.trouble.clear();
      await work;
    } catch (error) {
      this.trouble.show(inWords(error));
    }
  }
}
