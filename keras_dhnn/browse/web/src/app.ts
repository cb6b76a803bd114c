// Builds the page and keeps its parts in step with the address.

import { about, api, inWords, isAborted } from "./api";
import { Ask } from "./ask";
import { Chips } from "./chips";
import { button, fill, h } from "./dom";
import { Filters } from "./filters";
import { makeHelp } from "./help";
import { Histogram } from "./histogram";
import { icon } from "./icons";
import { LessonPanel } from "./lesson";
import { Look } from "./look";
import { Page } from "./page";
import { Panels } from "./panels";
import { makeSizes } from "./sizes";
import { makeSourceSwitch } from "./sources";
import { Takeaway } from "./takeaway";
import { makeThemeSwitch } from "./theme";
import { formatView, hasFilters, hasQuery, questionOf, shownParams, type View } from "./view";
import { Wall } from "./wall";
import { count } from "./words";

/** What decides which tiles are listed. */
const listKey = (view: View): string => formatView({ ...view, panel: "" });
/** As in narrow.css. */
const narrow = matchMedia("(max-width: 760px)");

async function start(): Promise<void> {
  const root = document.getElementById("app");
  if (!root) return;
  try {
    build(root, new Page(await about()));
  } catch (error) {
    fill(root, h("p", { class: "trouble", attrs: { role: "alert" } }, inWords(error)));
  }
}

function build(root: HTMLElement, page: Page): void {
  const chips = new Chips(page);
  const filters = new Filters(page);
  const wall = new Wall(page, [chips.element, filters.pills], [makeSizes()]);
  const panels = new Panels(page, (id) => wall.focus(id));
  new Look(page);
  const rail = h("div", { class: "rail" }, new Ask(page).element, new Histogram(page).element, new LessonPanel(page).element, filters.element);
  const main = h("main", { class: "main", id: "main" }, rail, wall.element, panels.element);
  fill(root, header(page, panels.tabs), main, h("footer", { class: "foot" }, new Takeaway(page).element, page.status.element));
  keepInStep(page, panels, (view) => void facets(page, view, chips, filters));
}

function header(page: Page, tabs: HTMLElement): HTMLElement {
  const { name, rows, bits, synthetic } = page.about;
  const help = makeHelp();
  const title = h("h1", { class: "brand" }, h("span", { class: "brand-name" }, name), h("span", { class: "brand-facts" }, `${count(rows, "tile")} · ${bits} bits`));
  const open = button(icon("help"), () => help.showModal(), { class: "button square quiet", title: "Keys", attrs: { "aria-label": "Keys" } });
  return h("header", { class: "head" }, title, synthetic && h("span", { class: "tag", title: "Drawn by keras-dhnn, not photographed" }, "synthetic"), tabs, h("div", { class: "head-end" }, makeSourceSwitch(page), makeThemeSwitch(), open));
}

function keepInStep(page: Page, panels: Panels, showFacets: (view: View) => void): void {
  const { view, listing, teaching, status } = page;
  listing.listed.on((listed) => {
    if (listed.state === "loading") status.say("Searching…");
    else if (listed.state === "ready") status.say(listed.kind === "wall" ? "" : `${count(listed.total, "tile")} in ${Math.max(1, Math.round(listed.took))} ms`);
    // What another search was taught stays in sight until the list that is asked for has come.
    const { taught } = listed;
    if (listed.state === "ready" && taught?.name === view.value.taught && taught !== teaching.lesson.value.taught) teaching.accept(taught);
  });
  view.on((now, before) => {
    const followed = now.taught === teaching.lesson.value.name;
    teaching.follow(now);
    if (listKey({ ...now, taught: "" }) !== listKey({ ...before, taught: "" }) || now.score !== before.score || !followed) {
      void listing.load(now);
      if (listKey(now) !== listKey({ ...before, radius: now.radius, score: now.score })) panels.openQuery(false);
    }
    if (shownParams(now).toString() !== shownParams(before).toString()) showFacets(now);
    // Where one part is shown at a time, whoever asks wants to see the answers.
    if (narrow.matches && now.panel && hasQuery(now) && questionOf(now) !== questionOf(before)) page.show({ panel: "" }, true);
  });
  const { value } = view;
  const bare = listKey(value) === "" && value.panel === "" && !hasFilters(value);
  if (bare && !page.shownSource().labelled && location.search === "") page.show({ panel: "similarity" }, true);
  teaching.follow(value);
  void listing.load(value);
  showFacets(value);
  void panels.follow();
}

let running = new AbortController();

async function facets(page: Page, view: View, chips: Chips, filters: Filters): Promise<void> {
  running.abort();
  running = new AbortController();
  try {
    const found = await api.facets(shownParams(view), running.signal);
    chips.show(found);
    filters.show(found);
  } catch (error) {
    // The list of tiles says the same of the same filters.
    if (!isAborted(error)) page.status.say(inWords(error));
  }
}

void start();
