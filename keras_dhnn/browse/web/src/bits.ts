// Draws a hash code as a strip of cells, those that differ from the query's in another colour.

import { svg } from "./dom";

/** The bits of a code in hexadecimal digits, first bit first. */
export function bitsOf(code: string): boolean[] {
  return [...code].flatMap((digit) => [8, 4, 2, 1].map((bit) => (parseInt(digit, 16) & bit) !== 0));
}

/** A strip of one row: set bits full, others faint; differing ones stand out. */
export function strip(code: string, query?: string): SVGElement {
  const bits = bitsOf(code);
  const asked = query ? bitsOf(query) : bits;
  const drawn = { same: "", other: "", differs: "" };
  bits.forEach((bit, at) => {
    const kind = bit !== asked[at] ? "differs" : bit ? "same" : "other";
    drawn[kind] += `M${at} 0h.82v1h-.82z`;
  });
  const paths = Object.entries(drawn).map(([kind, d]) => svg("path", { class: `bit-${kind}`, d }));
  return svg("svg", { class: "strip", viewBox: `0 0 ${bits.length} 1`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...paths);
}
