// How large tiles are; kept from visit to visit.

import { h } from "./dom";

const KEY = "keras-dhnn-tile";

export function makeSizes(): HTMLElement {
  const field = h("input", { type: "range", min: "72", max: "256", step: "8", class: "size", attrs: { "aria-label": "Size of tiles" } });
  const set = (size: string): void => {
    document.documentElement.style.setProperty("--tile", `${size}px`);
    dispatchEvent(new Event("tile-size"));
  };
  field.value = localStorage.getItem(KEY) ?? "128";
  if (localStorage.getItem(KEY)) set(field.value);
  field.addEventListener("input", () => {
    localStorage.setItem(KEY, field.value);
    set(field.value);
  });
  return field;
}
