// What all parts of the page share: the archive, what is shown, and what was marked and chosen.

import { Listing } from "./listing";
import { Selection } from "./selection";
import { Signal } from "./signal";
import { Status } from "./status";
import { Teaching } from "./teaching";
import type { About, Item, Source } from "./types";
import { formatView, NO_QUERY, parseView, shownIn, type View } from "./view";

/** What a click on a tile does. */
export type Click = "like" | "right" | "wrong";

export class Page {
  readonly view: Signal<View>;
  readonly listing: Listing;
  readonly teaching: Teaching;
  readonly selection = new Selection();
  readonly status = new Status();
  readonly click = new Signal<Click>("like");
  /** The item under the pointer or the focus, on the wall or the map. */
  readonly hovered = new Signal<string | null>(null);
  /** The item that is looked at closely. */
  readonly looked = new Signal<Item | null>(null);

  constructor(readonly about: About) {
    this.view = new Signal(parseView(location.search));
    this.listing = new Listing((view) => this.shownSource(view).placed);
    this.teaching = new Teaching(this);
    addEventListener("popstate", () => {
      const view = parseView(location.search);
      this.show({ ...view, taught: this.teaching.nameNow(view.taught) }, true);
    });
  }

  /** Changes what is shown, and the address with it; `quietly` leaves no step to go back to. */
  show(change: Partial<View>, quietly = false): void {
    const view = { ...this.view.value, ...change };
    const address = formatView(view).replace(/%2C/g, ",").replace(/%2F/g, "/");
    const url = address ? `?${address}` : location.pathname;
    if (quietly) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    this.view.value = view;
  }

  /** Searches what is most like an item. */
  like(item: Pick<Item, "id">): void {
    this.show({ ...NO_QUERY, like: [item.id] });
  }

  /** The source whose tiles are on the wall. */
  shownSource(view = this.view.value): Source {
    return this.sourceNamed(shownIn(view));
  }

  /** The source in which queries are made. */
  querySource(view = this.view.value): Source {
    return this.sourceNamed(view.source);
  }

  private sourceNamed(name: string): Source {
    const { sources } = this.about;
    const source = sources.find((each) => each.name === name) ?? sources[0];
    if (!source) throw new Error("An archive without sources");
    return source;
  }
}
