// Marks of right and wrong, kept by the server under the search's name; the answer to each mark is a new order.

import { api, inWords, Problem } from "./api";
import type { Page } from "./page";
import { Signal } from "./signal";
import type { Item, Kept, Mark, Taught } from "./types";
import { EMPTY, formatView, hasQuery, parseView, questionOf, taughtParams, type View } from "./view";

export interface Lesson {
  name: string;
  marks: Record<string, Mark>;
  taught: Taught | null;
  problem: string;
}

type Marks = Record<string, Mark | null>;

/** A search that marks are made in: they stay its own, whatever is asked before the server has them. */
interface Course {
  /** Empty until its first mark is kept. */
  name: string;
  /** The page as it stood last while this was its search. */
  view: View;
  /** Marks that wait for their turn. */
  pending: Marks;
  waiting: boolean;
}

const NONE: Lesson = { name: "", marks: {}, taught: null, problem: "" };

export class Teaching {
  readonly lesson = new Signal<Lesson>(NONE);
  /** Requests go one after the other, so that marks arrive in the order in which they were made. */
  private queue: Promise<unknown> = Promise.resolve();
  private course = beginCourse(EMPTY);
  /** Names that searches have been given, by those of before, which addresses to go back to still say. */
  private readonly renamed = new Map<string, string>();

  constructor(private readonly page: Page) {}

  markOf(id: string): Mark | null {
    return this.lesson.value.marks[id] ?? null;
  }

  /** Marks an item, or takes the same mark away again. */
  mark(item: Pick<Item, "id">, mark: Mark): void {
    const { course } = this;
    const next = this.markOf(item.id) === mark ? null : mark;
    this.lesson.value = { ...this.lesson.value, marks: withMarks(this.lesson.value.marks, { [item.id]: next }) };
    course.pending[item.id] = next;
    if (course.waiting) return;
    course.waiting = true;
    this.enqueue(async (filters) => {
      course.waiting = false;
      const marks = course.pending;
      course.pending = {};
      await this.begin(course, marks);
      return api.mark(course.name, marks, filters);
    });
  }

  undo(): void {
    this.step("undo");
  }

  redo(): void {
    this.step("redo");
  }

  /** Follows the address: goes on with the search that it names, or with none where another thing is asked. */
  follow(view: View): void {
    const { course } = this;
    if (view.taught === course.name && (course.name !== "" || questionOf(view) === questionOf(course.view))) {
      course.view = view;
      return;
    }
    this.course = beginCourse(view);
    this.lesson.value = { ...NONE, name: view.taught };
  }

  /** Takes what came with a list, but for marks on their way. */
  accept(taught: Taught): void {
    this.lesson.value = { name: taught.name, marks: withMarks(taught.marks, this.course.pending), taught, problem: "" };
  }

  /** Gives the search another name; a name that is refused is the caller's to say. */
  rename(to: string): Promise<void> {
    const { course } = this;
    return this.inTurn(async () => {
      const { name } = await api.rename(course.name, to);
      this.renamed.delete(name);
      if (name !== course.name) this.renamed.set(course.name, name);
      this.take(course, name);
      if (course === this.course) this.page.listing.rename(course.name);
    });
  }

  /** The name that a search has now. */
  nameNow(name: string): string {
    const now = this.renamed.get(name);
    return now === undefined ? name : this.nameNow(now);
  }

  /** Returns the marks as a table of labels, those under way among them. */
  labels(): ReturnType<typeof api.labels> {
    const { course } = this;
    return this.inTurn(() => api.labels(course.name, course.name));
  }

  /** Opens a search that was kept, under the filters and in the sources that it began with. */
  open({ name, query, source }: Kept): void {
    const view: View = { ...parseView(query), panel: this.page.view.value.panel, taught: name };
    if (this.page.shownSource(view).name !== source) view[hasQuery(view) ? "target" : "source"] = source;
    this.page.show(view);
  }

  /** Shows the new order; without a mark of right, the wall or the answers to the query stay. */
  private reorder(taught: Taught, filters: string): void {
    const { listing, view } = this.page;
    const { state, kind } = listing.listed.value;
    const asked = state === "ready" && filters === taughtParams(view.value).toString();
    if (asked && taught.ready) listing.accept(taught);
    else if (!asked || kind === "taught") void listing.load(view.value);
  }

  private step(which: "undo" | "redo"): void {
    const { course } = this;
    // Nothing has been done yet where there is no name by then.
    this.enqueue(async (filters) => (course.name ? api.step(course.name, which, filters) : null));
  }

  private enqueue(work: (filters: string) => Promise<Taught | null>): void {
    const { course } = this;
    void this.inTurn(async () => {
      try {
        const filters = taughtParams(course.view).toString();
        const taught = await this.page.status.during("Learning from your marks…", work(filters));
        if (taught?.name !== this.course.name) return;
        this.accept(taught);
        this.reorder(taught, filters);
      } catch (error) {
        this.fail(course, error);
      }
    });
  }

  /** Says what went wrong, and shows no mark that the server does not have. */
  private fail(course: Course, error: unknown): void {
    const { lesson } = this;
    const marks = course === this.course ? withMarks(lesson.value.taught?.marks ?? {}, course.pending) : lesson.value.marks;
    lesson.value = { ...lesson.value, marks, problem: inWords(error) };
  }

  /** Does something once all that was asked before is done, whether it went well or not. */
  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.queue.then(work);
    this.queue = done.catch(() => undefined);
    return done;
  }

  /** Starts to keep a search at its first mark; the items that it asked for are right. */
  private async begin(course: Course, marks: Marks): Promise<void> {
    if (course.name) return;
    const { view } = course;
    for (const id of view.like) marks[id] ??= "right";
    const query = formatView({ ...view, panel: "" });
    this.take(course, (await keep(this.page.shownSource(view).name, query)).name);
  }

  /** Calls a search by a name, which the address says while the page is at it. */
  private take(course: Course, name: string): void {
    course.name = name;
    if (course !== this.course) return;
    this.lesson.value = { ...this.lesson.value, name };
    this.page.show({ taught: name }, true);
  }
}

function beginCourse(view: View): Course {
  return { name: view.taught, view, pending: {}, waiting: false };
}

/** Marks with others over them, of which some are taken away. */
function withMarks(marks: Record<string, Mark>, others: Marks): Record<string, Mark> {
  return Object.fromEntries(Object.entries({ ...marks, ...others }).filter((entry): entry is [string, Mark] => entry[1] !== null));
}

/** Begins to keep a search by the time of day, until its owner gives it a better name; several may begin in a second. */
async function keep(source: string, query: string): Promise<Kept> {
  const name = timeName();
  for (let number = 1; ; number++) {
    try {
      return await api.keep(number > 1 ? `${name} ${number}` : name, source, query);
    } catch (error) {
      if (!(error instanceof Problem && error.kind === "conflict")) throw error;
    }
  }
}

function timeName(): string {
  const now = new Date();
  const two = (number: number): string => String(number).padStart(2, "0");
  return `Search ${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())} ${two(now.getHours())}.${two(now.getMinutes())}.${two(now.getSeconds())}`;
}
