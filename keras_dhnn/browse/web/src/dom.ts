// Makes elements without a template language.

export type Child = Node | string | number | null | undefined | false;

interface Extra {
  class?: string;
  on?: Partial<{ [E in keyof HTMLElementEventMap]: (event: HTMLElementEventMap[E]) => void }>;
  /** Attributes, aria-* and data-* among them; null and false leave one out. */
  attrs?: Record<string, string | number | boolean | null | undefined>;
}

type Properties<K extends keyof HTMLElementTagNameMap> = Extra & Partial<Omit<HTMLElementTagNameMap[K], "style" | "children" | "dataset">>;

/** Makes an element: `h("button", { class: "quiet", type: "button", on: { click: close } }, "Close")`. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, properties: Properties<K> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  const { class: names, on, attrs, ...rest } = properties;
  if (names) element.className = names;
  for (const [type, listener] of Object.entries(on ?? {})) element.addEventListener(type, listener as EventListener);
  for (const [name, value] of Object.entries(attrs ?? {})) setAttribute(element, name, value);
  Object.assign(element, rest);
  append(element, children);
  return element;
}

/** Makes a push button with a name that screen readers read. */
export function button(text: Child, click: (event: MouseEvent) => void, properties: Properties<"button"> = {}): HTMLButtonElement {
  return h("button", { type: "button", ...properties, on: { ...properties.on, click } }, text);
}

/** Replaces what is in an element. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren();
  append(element, children);
}

export function setAttribute(element: Element, name: string, value: string | number | boolean | null | undefined): void {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag: string, attrs: Record<string, string | number> = {}, ...children: Child[]): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attrs)) element.setAttribute(name, String(value));
  append(element, children);
  return element;
}

function append(element: Element, children: Child[]): void {
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.append(child instanceof Node ? child : String(child));
  }
}
