// What the server sends: the contract of keras_dhnn/browse.

export type Box = [west: number, south: number, east: number, north: number];
export type Mark = "right" | "wrong";

export interface Polygon {
  type: "Polygon" | "MultiPolygon";
  coordinates: number[][][] | number[][][][];
}

export interface Item {
  id: string;
  label: string | null;
  time: string | null;
  scene: string | null;
  row: number | null;
  col: number | null;
  size: number | null;
  bbox: Box | null;
  code: string;
  thumb: string;
  geometry?: Polygon | null;
  rank?: number;
  distance?: number | null;
  precision?: number | null;
  score?: number;
  mark?: Mark | null;
}

export interface Source {
  name: string;
  rows: number;
  labelled: boolean;
  placed: boolean;
  timed: boolean;
  scenes: number;
  calibration: "precision" | "background" | null;
}

export interface About {
  version: string;
  token: string;
  name: string;
  path: string;
  bits: number;
  rows: number;
  encoder: "backbone" | "run" | "export" | "vectors";
  pipeline: string;
  synthetic: boolean;
  sources: Source[];
  cross: boolean;
  upload: { state: "loading" | "ready" | "no"; message: string };
  limits: { bytes: number; pixels: number; page: number; export: number; name: number };
}

export interface Facets {
  total: number;
  labels: { label: string | null; count: number }[];
  scenes: { scene: string; count: number }[];
  time: [string, string] | null;
  bbox: Box | null;
}

export interface Page {
  total: number;
  offset: number;
  items: Item[];
}

export interface Asked {
  code: string;
  name: string;
  thumb: string | null;
  label: string | null;
}

export interface Found extends Page {
  bits: number;
  rank: string;
  query: Asked;
  histogram: number[];
  precision: number[] | null;
  expected: number[] | null;
  background: number[] | null;
}

export interface Kept {
  name: string;
  source: string;
  query: string;
  right: number;
  wrong: number;
  undo: number;
  redo: number;
  changed: string;
}

export interface Estimate {
  k: number;
  estimate: number | null;
  low: number | null;
  high: number | null;
  marked: number;
}

export interface ScoreHistogram {
  edges: number[];
  counts: number[];
  /** Of the marks that score so or higher, from each edge on. */
  estimated: Omit<Estimate, "k">[];
}

export interface Taught extends Kept, Page {
  ready: boolean;
  suggestions: Item[];
  precision: Estimate[];
  histogram: ScoreHistogram | null;
  marks: Record<string, Mark>;
  took: number;
}

export interface Uploaded {
  upload: string;
  code: string;
  name: string;
  thumb: string;
}

export interface Scene {
  scene: string;
  tiles: number;
  width: number | null;
  height: number | null;
  bbox: Box | null;
  corners: [number, number][] | null;
  overview: string;
}

export interface Point {
  id: string;
  x: number;
  y: number;
  label: string | null;
  cluster: number;
  thumb: string;
}

export interface Cluster {
  cluster: number;
  count: number;
  x: number;
  y: number;
  label: string | null;
  items: Item[];
}

export interface Layout {
  total: number;
  /** Whether a finer one is on its way. */
  rough?: boolean;
  points: Point[];
  clusters: Cluster[];
}

export interface Footprints {
  total: number;
  features: { geometry: Polygon | null; properties: Item }[];
}
