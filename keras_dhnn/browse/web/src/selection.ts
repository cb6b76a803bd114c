// The tiles that were chosen to be taken away: one by one, or all from the last one chosen to another.

import { Signal } from "./signal";

export class Selection {
  readonly ids = new Signal<ReadonlySet<string>>(new Set());
  /** What a range is added to, and the place on the list from which it goes. */
  private before: ReadonlySet<string> = this.ids.value;
  private from: number | null = null;

  has(id: string): boolean {
    return this.ids.value.has(id);
  }

  /** Chooses a tile, or not any more; ranges go from its place. */
  toggle(id: string, place: number): void {
    const next = new Set(this.ids.value);
    if (!next.delete(id)) next.add(id);
    this.begin(next, place);
  }

  /** The place from which a range goes: of the last tile that was chosen, else this one. */
  rangeFrom(place: number): number {
    if (this.from === null) this.begin(this.ids.value, place);
    return this.from ?? place;
  }

  /** Chooses a range besides what was chosen before it; the range before that is given up. */
  extend(ids: Iterable<string>): void {
    this.ids.value = new Set([...this.before, ...ids]);
  }

  clear(): void {
    this.forgetPlaces();
    this.ids.value = this.before = new Set();
  }

  /** Another list has other places. */
  forgetPlaces(): void {
    this.before = this.ids.value;
    this.from = null;
  }

  private begin(ids: ReadonlySet<string>, place: number): void {
    this.ids.value = this.before = ids;
    this.from = place;
  }
}
