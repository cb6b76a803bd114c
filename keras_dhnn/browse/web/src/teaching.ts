// Marks of right and wrong, kept by the server under the search's name; the answer to each mark is a new order.

import { api, inWords } from "./api";
import type { Page } from "./page";
import { Signal } from "./signal";
import type { Item, Mark, Taught } from "./types";
import { formatView, hasQuery, NO_QUERY, taughtParams, type View } from "./view";

export interface Lesson {
  name: string;
  marks: Record<string, Mark>;
  taught: Taught | null;
  problem: string;
}

const NONE: Lesson = { name: "", marks: {}, taught: null, problem: "" };

export class Teaching {
  readonly lesson = new Signal<Lesson>(NONE);
  /** Requests go one after the other, so that marks arrive in the order in which they were made. */
  private queue: Promise<unknown> = Promise.resolve();
  private pending: Record<string, Mark | null> = {};
  private waiting = false;

  constructor(private readonly page: Page) {}

  markOf(id: string): Mark | null {
    return this.lesson.value.marks[id] ?? null;
  }

  /** Marks an item, or takes the same mark away again. */
  mark(item: Pick<Item, "id">, mark: Mark): void {
    const next = this.markOf(item.id) === mark ? null : mark;
    const marks = { ...this.lesson.value.marks };
    if (next) marks[item.id] = next;
    else delete marks[item.id];
    this.lesson.value = { ...this.lesson.value, marks };
    this.pending[item.id] = next;
    if (this.waiting) return;
    this.waiting = true;
    this.enqueue(async () => {
      this.waiting = false;
      const marks = this.pending;
      this.pending = {};
      await this.begin(marks);
      return api.mark(this.lesson.value.name, marks, this.filters());
    });
  }

  undo(): void {
    this.enqueue(() => api.step(this.lesson.value.name, "undo", this.filters()));
  }

  redo(): void {
    this.enqueue(() => api.step(this.lesson.value.name, "redo", this.filters()));
  }

  /** Follows the address: opens the search that it names, or none. */
  follow(view: View): void {
    if (view.taught === this.lesson.value.name) return;
    this.lesson.value = { ...NONE, name: view.taught };
  }

  /** Takes what came with a list. */
  accept(taught: Taught): void {
    this.lesson.value = { name: taught.name, marks: taught.marks, taught, problem: "" };
  }

  /** Gives the search another name; a name that is refused is the caller's to say. */
  rename(to: string): Promise<void> {
    return this.inTurn(async () => {
      const kept = await api.rename(this.lesson.value.name, to);
      this.lesson.value = { ...this.lesson.value, name: kept.name };
      this.page.show({ taught: kept.name }, true);
    });
  }

  /** Returns the marks as the table that `prepare --labels` takes, those under way among them. */
  labels(): ReturnType<typeof api.labels> {
    return this.inTurn(() => api.labels(this.lesson.value.name, this.lesson.value.name));
  }

  /** Opens a search that was kept. */
  open(name: string, query: string, source: string): void {
    const given = new URLSearchParams(query);
    this.page.show({ ...NO_QUERY, like: given.getAll("like"), unlike: given.getAll("unlike"), upload: given.get("upload") ?? "", code: given.get("code") ?? "", source, taught: name });
  }

  /** Shows the new order; without a mark of right, that of the query. */
  private reorder(taught: Taught): void {
    const { listing, view } = this.page;
    if (taught.ready || !hasQuery(view.value)) listing.accept(taught);
    else if (listing.listed.value.kind === "taught") void listing.load(view.value);
  }

  private filters(): string {
    return taughtParams(this.page.view.value).toString();
  }

  private enqueue(work: () => Promise<Taught>): void {
    void this.inTurn(async () => {
      try {
        const taught = await this.page.status.during("Learning from your marks…", work());
        this.accept({ ...taught, marks: { ...taught.marks, ...onlyMarks(this.pending) } });
        this.reorder(taught);
      } catch (error) {
        this.lesson.value = { ...this.lesson.value, problem: inWords(error) };
      }
    });
  }

  /** Does something once all that was asked before is done, whether it went well or not. */
  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.queue.then(work);
    this.queue = done.catch(() => undefined);
    return done;
  }

  /** Starts to keep a search at its first mark; the items that it asked for are right. */
  private async begin(marks: Record<string, Mark | null>): Promise<void> {
    if (this.lesson.value.name) return;
    const view = this.page.view.value;
    const kept = await api.keep(freeName(), this.page.shownSource().name, hasQuery(view) ? formatView({ ...view, panel: "" }) : "");
    for (const id of view.like) marks[id] ??= "right";
    this.lesson.value = { ...this.lesson.value, name: kept.name };
    this.page.show({ taught: kept.name }, true);
  }
}

function onlyMarks(marks: Record<string, Mark | null>): Record<string, Mark> {
  return Object.fromEntries(Object.entries(marks).filter((entry): entry is [string, Mark] => entry[1] !== null));
}

/** A name by the minute and second, until its owner gives it a better one. */
function freeName(): string {
  const now = new Date();
  const two = (number: number): string => String(number).padStart(2, "0");
  return `Search ${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())} ${two(now.getHours())}.${two(now.getMinutes())}.${two(now.getSeconds())}`;
}
