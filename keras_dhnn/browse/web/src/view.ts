// What the page shows, and the address that says so: whoever opens the address sees the same.

import type { Box } from "./types";

export type Panel = "" | "similarity" | "map";

export interface View {
  like: string[];
  unlike: string[];
  upload: string;
  code: string;
  taught: string;
  source: string;
  target: string;
  label: string[];
  scene: string[];
  since: string;
  until: string;
  bbox: Box | null;
  where: string;
  radius: number | null;
  /** The least score that is listed of what was taught. */
  score: number | null;
  rank: string;
  panel: Panel;
}

export const EMPTY: View = {
  like: [],
  unlike: [],
  upload: "",
  code: "",
  taught: "",
  source: "",
  target: "",
  label: [],
  scene: [],
  since: "",
  until: "",
  bbox: null,
  where: "",
  radius: null,
  score: null,
  rank: "",
  panel: "",
};

export const NO_QUERY = { like: [], unlike: [], upload: "", code: "", taught: "", radius: null, score: null } satisfies Partial<View>;
export const NO_FILTERS = { label: [], scene: [], since: "", until: "", bbox: null, where: "" } satisfies Partial<View>;

const TEXTS = ["upload", "code", "taught", "source", "target", "since", "until", "where", "rank"] as const;
const LISTS = ["like", "unlike", "label", "scene"] as const;

/** Reads an address; what it does not understand is left out. */
export function parseView(address: string): View {
  const given = new URLSearchParams(address);
  const view: View = { ...EMPTY };
  for (const name of TEXTS) view[name] = given.get(name) ?? "";
  for (const name of LISTS) view[name] = given.getAll(name);
  view.bbox = parseBox(given.get("bbox") ?? "");
  const radius = given.get("radius");
  view.radius = radius !== null && /^\d+$/.test(radius) ? Number(radius) : null;
  const score = Number(given.get("score") ?? "");
  view.score = score > 0 && score <= 1 ? score : null;
  const panel = given.get("panel");
  view.panel = panel === "map" || panel === "similarity" ? panel : "";
  return view;
}

export function formatView(view: View): string {
  const given = queryParams(view);
  if (view.taught) given.set("taught", view.taught);
  if (view.taught && view.score !== null) given.set("score", String(view.score));
  if (view.panel) given.set("panel", view.panel);
  return given.toString();
}

/** Reads "west,south,east,north". */
export function parseBox(text: string): Box | null {
  const numbers = text.split(",").map(Number);
  return numbers.length === 4 && text.trim() !== "" && numbers.every(Number.isFinite) ? (numbers as Box) : null;
}

export function hasQuery(view: View): boolean {
  return Boolean(view.like.length || view.upload || view.code);
}

/** What is looked for, and in which sources, whatever the filters. */
export function questionOf({ like, unlike, upload, code, source, target }: View): string {
  return formatView({ ...EMPTY, like, unlike, upload, code, source, target });
}

export function hasFilters(view: View): boolean {
  return Boolean(view.label.length || view.scene.length || view.since || view.until || view.bbox || view.where);
}

/** The filters, as every request takes them. */
export function filterParams(view: View): URLSearchParams {
  const given = new URLSearchParams();
  for (const label of view.label) given.append("label", label);
  for (const scene of view.scene) given.append("scene", scene);
  for (const name of ["since", "until", "where"] as const) if (view[name]) given.set(name, view[name]);
  if (view.bbox) given.set("bbox", view.bbox.join(","));
  return given;
}

/** The filters, as the order of what was taught takes them: with the least score. */
export function taughtParams(view: View): URLSearchParams {
  const given = filterParams(view);
  if (view.score !== null) given.set("score", String(view.score));
  return given;
}

/** The source whose tiles are shown, "" for the first. */
export function shownIn(view: View): string {
  return hasQuery(view) ? view.target || view.source : view.source;
}

/** The filters, for the source whose tiles are shown. */
export function shownParams(view: View): URLSearchParams {
  const given = filterParams(view);
  const shown = shownIn(view);
  if (shown) given.set("source", shown);
  return given;
}

/** The query and the filters, as a search takes them. */
export function queryParams(view: View): URLSearchParams {
  const given = new URLSearchParams();
  for (const id of view.like) given.append("like", id);
  for (const id of view.unlike) given.append("unlike", id);
  for (const name of ["upload", "code", "source", "target", "rank"] as const) if (view[name]) given.set(name, view[name]);
  if (view.radius !== null) given.set("radius", String(view.radius));
  for (const [name, value] of filterParams(view)) given.append(name, value);
  return given;
}
