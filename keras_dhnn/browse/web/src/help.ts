// The keys, in a dialog.

import { button, h } from "./dom";

const KEYS: [string, string][] = [
  ["arrows, Page Up, Page Down, Home, End", "move among tiles"],
  ["Enter", "find tiles like this one (or mark it, if clicks mark)"],
  ["y", "mark right, go on to the next"],
  ["n", "mark wrong, go on to the next"],
  ["u, Shift+U", "undo, redo marks"],
  ["x, Escape", "select, clear the selection"],
  ["Shift+arrows, Shift+click", "select all from the last one to here"],
  ["l", "look closer"],
  ["arrows on the cut-off", "move it by a bit; Page Up and Page Down by five"],
];

export function makeHelp(): HTMLDialogElement {
  const rows = KEYS.map(([keys, does]) => h("tr", {}, h("th", { scope: "row" }, keys), h("td", {}, does)));
  const dialog = h("dialog", { class: "dialog", attrs: { "aria-label": "Keys" } });
  dialog.append(h("h2", {}, "Keys"), h("p", { class: "hint" }, "They work on the tile that has the focus: press Tab until one has, or click it."), h("table", { class: "keys" }, h("tbody", {}, ...rows)), h("div", { class: "row end" }, button("Close", () => dialog.close(), { class: "button primary" })));
  document.body.append(dialog);
  return dialog;
}
