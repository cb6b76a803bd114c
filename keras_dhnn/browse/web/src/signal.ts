// A value that tells when it changes.

export class Signal<T> {
  private readonly listeners = new Set<(value: T, before: T) => void>();

  constructor(private current: T) {}

  get value(): T {
    return this.current;
  }

  set value(value: T) {
    const before = this.current;
    this.current = value;
    for (const listener of this.listeners) listener(value, before);
  }

  /** Calls a listener at every change, not now. */
  on(listener: (value: T, before: T) => void): void {
    this.listeners.add(listener);
  }
}
