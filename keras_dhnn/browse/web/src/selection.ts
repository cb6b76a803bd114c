// The tiles that were chosen to be taken away.

import { Signal } from "./signal";

export class Selection {
  readonly ids = new Signal<ReadonlySet<string>>(new Set());

  has(id: string): boolean {
    return this.ids.value.has(id);
  }

  toggle(id: string): void {
    const next = new Set(this.ids.value);
    if (!next.delete(id)) next.add(id);
    this.ids.value = next;
  }

  add(ids: Iterable<string>): void {
    this.ids.value = new Set([...this.ids.value, ...ids]);
  }

  clear(): void {
    this.ids.value = new Set();
  }
}
