// The list of tiles in the middle of the page: the wall, the answers to a query, or what was taught; a page at a time.

import { api, inWords, isAborted, PAGE, Problem } from "./api";
import { Signal } from "./signal";
import type { Asked, Found, Item, Page, Taught } from "./types";
import { hasQuery, queryParams, questionOf, shownParams, taughtParams, type View } from "./view";

const SETTLE = 50; // milliseconds that scrolling has to rest before pages are asked for

export type Kind = "wall" | "found" | "taught";

export interface Listed {
  kind: Kind;
  state: "loading" | "ready" | "failed";
  problem: string;
  total: number;
  /** What was asked; null also where it is not there any more, and only what it was taught is listed. */
  query: Asked | null;
  found: Found | null;
  taught: Taught | null;
  /** Milliseconds that the answer took, as seen from here. */
  took: number;
}

const NOTHING: Listed = { kind: "wall", state: "loading", problem: "", total: 0, query: null, found: null, taught: null, took: 0 };

export class Listing {
  readonly listed = new Signal<Listed>(NOTHING);
  /** Fires when a later page of the list has come: the place of its first item. */
  readonly arrived = new Signal(0);
  private items: (Item | undefined)[] = [];
  private readonly asked = new Set<number>();
  private places = new Map<string, number>();
  private view: View | null = null;
  private running = new AbortController();
  private timer = 0;

  constructor(private readonly placed: (view: View) => boolean) {}

  item(index: number): Item | undefined {
    return this.items[index];
  }

  /** The place of an item among those that have come, or -1. */
  indexOf(id: string): number {
    return this.places.get(id) ?? -1;
  }

  /** All items that have come, best first. */
  known(): Item[] {
    return this.items.filter((item) => item !== undefined);
  }

  /** Begins a new list; of the one before, only what belongs to the same question is shown on while it loads. */
  async load(view: View): Promise<void> {
    const { query, found, taught } = this.view && questionOf(view) === questionOf(this.view) ? this.listed.value : NOTHING;
    this.view = view;
    this.running.abort();
    const running = (this.running = new AbortController());
    this.listed.value = { ...this.listed.value, query, found, taught, state: "loading", problem: "" };
    const start = performance.now();
    try {
      const answer = await this.ask(view, 0, running.signal);
      if (running.signal.aborted) return;
      this.begin(answer, performance.now() - start);
    } catch (error) {
      if (isAborted(error) || running.signal.aborted) return;
      this.clear();
      this.listed.value = { ...NOTHING, state: "failed", problem: inWords(error) };
    }
  }

  /** Takes the first page of what was taught, which comes with the answer to a mark. */
  accept(taught: Taught): void {
    this.running.abort();
    this.running = new AbortController();
    if (this.view) this.view = { ...this.view, taught: taught.name };
    this.begin({ kind: "taught", page: taught, taught, query: this.listed.value.query }, taught.took);
  }

  /** Goes on under the other name that a search has been given. */
  rename(name: string): void {
    if (!this.view) return;
    this.view = { ...this.view, taught: name };
    const { taught, state } = this.listed.value;
    if (state === "loading") void this.load(this.view);
    else if (taught) this.listed.value = { ...this.listed.value, taught: { ...taught, name } };
  }

  /** Asks for the pages of these places, once scrolling rests. */
  need(from: number, to: number): void {
    clearTimeout(this.timer);
    const missing: number[] = [];
    for (let page = Math.floor(from / PAGE); page * PAGE < Math.min(to, this.listed.value.total); page++) {
      if (!this.asked.has(page)) missing.push(page);
    }
    if (missing.length) this.timer = window.setTimeout(() => missing.forEach((page) => void this.fetch(page)), SETTLE);
  }

  /** The items from one place to another, whichever is first, of which those that have not come are asked for. */
  async between(one: number, other: number): Promise<Item[]> {
    const [from, to] = [Math.min(one, other), Math.max(one, other) + 1];
    const { signal } = this.running;
    for (let page = Math.floor(from / PAGE); page * PAGE < to && !signal.aborted; page++) {
      if (!this.items[page * PAGE]) {
        this.asked.delete(page);
        await this.fetch(page);
      }
    }
    return this.items.slice(from, to).filter((item) => item !== undefined);
  }

  private async fetch(page: number): Promise<void> {
    if (!this.view || this.asked.has(page)) return;
    this.asked.add(page);
    const { signal } = this.running;
    try {
      const answer = await this.ask(this.view, page * PAGE, signal);
      if (signal.aborted) return;
      this.add(answer.page);
      this.arrived.value = answer.page.offset;
    } catch (error) {
      if (signal.aborted) return;
      this.asked.delete(page);
      this.listed.value = { ...this.listed.value, problem: inWords(error) };
    }
  }

  private async ask(view: View, offset: number, signal: AbortSignal): Promise<Answer> {
    const page = new URLSearchParams({ offset: String(offset), limit: String(PAGE) });
    if (this.placed(view)) page.set("geometry", "1");
    const taught = view.taught ? await api.taught(view.taught, join(taughtParams(view), page), signal) : null;
    if (taught?.ready) return { kind: "taught", page: taught, taught, query: offset ? null : await this.queryOf(view, signal) };
    const found = await this.search(view, page, signal);
    if (found) return { kind: "found", page: found, taught, query: found.query };
    return { kind: "wall", page: await api.tiles(join(shownParams(view), page), signal), taught, query: null };
  }

  /** What a search that was taught began from, for its card and for the bits that match. */
  private async queryOf(view: View, signal: AbortSignal): Promise<Asked | null> {
    return this.listed.value.query ?? (await this.search(view, new URLSearchParams({ limit: "1" }), signal))?.query ?? null;
  }

  /** The answers to a query, null if there is none; what a kept search began from may be gone, and its marks are not. */
  private async search(view: View, page: URLSearchParams, signal: AbortSignal): Promise<Found | null> {
    if (!hasQuery(view)) return null;
    try {
      return await api.search(join(queryParams(view), page), signal);
    } catch (error) {
      if (view.taught && error instanceof Problem && error.kind === "not_found") return null;
      throw error;
    }
  }

  private begin(answer: Answer, took: number): void {
    const { kind, page, taught, query } = answer;
    this.clear();
    this.asked.add(0);
    this.add(page);
    this.listed.value = { kind, state: "ready", problem: "", total: page.total, query, found: answer.kind === "found" ? answer.page : null, taught, took };
  }

  private add(page: Page): void {
    page.items.forEach((item, at) => {
      this.items[page.offset + at] = item;
      this.places.set(item.id, page.offset + at);
    });
  }

  private clear(): void {
    clearTimeout(this.timer);
    this.items = [];
    this.places = new Map();
    this.asked.clear();
  }
}

type Answer = { query: Asked | null; taught: Taught | null } & ({ kind: "wall"; page: Page } | { kind: "found"; page: Found } | { kind: "taught"; page: Taught });

function join(...parts: URLSearchParams[]): URLSearchParams {
  return new URLSearchParams(parts.flatMap((part) => [...part]));
}
