// Light and dark: as the system has it, or as the switch says.

import { button, fill } from "./dom";
import { icon } from "./icons";

const KEY = "keras-dhnn-theme";

export function makeThemeSwitch(): HTMLElement {
  const element = button(null, () => set(isDark() ? "light" : "dark"), { class: "button square quiet" });
  const set = (theme: string | null): void => {
    if (theme) {
      document.documentElement.dataset.theme = theme;
      localStorage.setItem(KEY, theme);
    }
    fill(element, icon(isDark() ? "light" : "dark"));
    element.title = isDark() ? "Light colours" : "Dark colours";
    element.setAttribute("aria-label", element.title);
    dispatchEvent(new Event("theme"));
  };
  set(localStorage.getItem(KEY));
  return element;
}

function isDark(): boolean {
  return (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
}
