// The switch between sources of the same ground: in which one asks, and in which one searches.

import { fill, h, setAttribute } from "./dom";
import type { Page } from "./page";
import type { View } from "./view";

/** Marks are of the source that they were made in. */
const UNTAUGHT = { taught: "", score: null } satisfies Partial<View>;

export function makeSourceSwitch(page: Page): HTMLElement {
  const { sources, cross } = page.about;
  const group = h("div", { class: "sources", hidden: sources.length < 2 });
  const choice = (label: string, now: () => string, choose: (name: string) => void): HTMLElement => {
    const select = h("select", { class: "field", on: { change: () => choose(select.value) } }, ...sources.map(({ name }) => h("option", { value: name }, name)));
    const follow = (): void => {
      select.value = now();
    };
    follow();
    page.view.on(follow);
    return h("label", { class: "labelled inline" }, label, select);
  };
  const asked = choice(cross ? "Query" : "Source", () => page.querySource().name, (source) => page.show(cross ? { ...UNTAUGHT, source } : { ...UNTAUGHT, source, target: "" }));
  const shown = choice("Answers", () => page.view.value.target || page.querySource().name, (target) => page.show({ ...UNTAUGHT, target }));
  fill(group, asked, cross && h("span", { attrs: { "aria-hidden": "true" } }, "→"), cross && shown);
  setAttribute(group, "role", "group");
  setAttribute(group, "aria-label", "Sources");
  return group;
}
