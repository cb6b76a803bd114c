// The page's own drawings, 16 by 16, in the colour of the text.

import { svg } from "./dom";

const PATHS = {
  check: "M3 8.5 6.5 12 13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  select: "M3 3h10v10H3z",
  look: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.5 10.5 14 14",
  undo: "M6 3 2.5 6.5 6 10M3 6.5h6.5a4 4 0 0 1 0 8H7",
  redo: "M10 3l3.5 3.5L10 10M13 6.5H6.5a4 4 0 0 0 0 8H9",
  close: "M4 4l8 8M12 4l-8 8",
  tiles: "M2.5 2.5h4.5v4.5H2.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5H2.5zM9 9h4.5v4.5H9z",
  similarity: "M4 5.2a1.2 1.2 0 1 0 0-.01M6.5 9.2a1.2 1.2 0 1 0 0-.01M10.5 4.2a1.2 1.2 0 1 0 0-.01M12 10.2a1.2 1.2 0 1 0 0-.01M4.5 13a1.2 1.2 0 1 0 0-.01M9 12.8a1.2 1.2 0 1 0 0-.01",
  map: "M2 4l4-1.5 4 1.5 4-1.5v9.5L10 13.5 6 12 2 13.5zM6 2.5V12M10 4v9.5",
  query: "M2.5 4h11M2.5 8h7M2.5 12h4",
  picture: "M2.5 3.5h11v9h-11zM2.5 11l3-3 2.5 2.5L10.5 7l3 3",
  help: "M5.5 6a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .8-1 1.7M8 12.5v.5",
  light: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1",
  dark: "M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z",
  box: "M2.5 5V2.5H5M11 2.5h2.5V5M13.5 11v2.5H11M5 13.5H2.5V11",
} as const;

export function icon(name: keyof typeof PATHS): SVGElement {
  return svg("svg", { class: "icon", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, svg("path", { d: PATHS[name] }));
}
