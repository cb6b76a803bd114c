// Builds the page into ../static: the script and style of src/, Leaflet beside it, the land of the map, and licences.
// `npm run build`, or `make page`. What was built from which sources stands in ../static/sources.sha256 (a test reads it).

import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { feature } from "topojson-client";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "static");
const shipped = ["leaflet", "world-atlas"];

function sources(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** SHA-256 of names and contents of all that decides what is built. */
function digest() {
  const files = [...sources(join(here, "src")), ...["build.mjs", "package.json", "package-lock.json", "tsconfig.json"].map((name) => join(here, name))];
  const hash = createHash("sha256");
  for (const name of files.map((file) => relative(here, file)).sort()) {
    hash.update(`${name}\0`).update(readFileSync(join(here, name))).update("\0");
  }
  return hash.digest("hex");
}

/** A closed ring whose longitudes go on beyond 180 degrees instead of jumping; around a pole, closed over it. */
function unwrapped(ring) {
  let turns = 0;
  const points = ring.map(([x, y], at) => {
    const step = at ? x - ring[at - 1][0] : 0;
    if (Math.abs(step) > 180) turns -= 360 * Math.sign(step);
    return [x + turns, y];
  });
  const [start, end] = [points[0][0], points.at(-1)[0]];
  const pole = 90 * Math.sign(points[0][1]);
  if (Math.abs(end - start) > 180) points.push([end, pole], [(start + end) / 2, pole], [start, pole], points[0]);
  // Most of it where it was, so that holes are in the same part.
  const world = Math.round(points.reduce((sum, [x]) => sum + x, 0) / points.length / 360);
  return points.map(([x, y]) => [x - 360 * world, y]);
}

/** The part of a closed ring that lies east (`sign` 1) or west (-1) of a meridian, closed along it. */
function clipped(ring, meridian, sign) {
  const inside = ([x]) => sign * (x - meridian) >= 0;
  const points = ring.slice(1).flatMap((point, at) => {
    const before = ring[at];
    const along = (meridian - before[0]) / (point[0] - before[0]);
    const crossing = inside(before) === inside(point) ? [] : [[meridian, before[1] + along * (point[1] - before[1])]];
    return inside(point) ? [...crossing, point] : crossing;
  });
  return points.length ? [...points, points[0]] : [];
}

/** Rings in GeoJSON's range of longitudes, cut at the 180th meridian: a flat map draws a jump over it as a line around the world. */
function cut(rings) {
  return [-1, 0, 1].map((world) => {
    const [west, east] = [360 * world - 180, 360 * world + 180];
    const parts = rings.map((ring) => clipped(clipped(unwrapped(ring), west, 1), east, -1).map(([x, y]) => [x - 360 * world, y]));
    return parts.filter((ring) => new Set(ring.map(([x]) => x)).size > 1);
  });
}

/** Natural Earth's land (1:110 million, public domain) as GeoJSON, to a hundredth of a degree. */
function land() {
  const atlas = JSON.parse(readFileSync(join(here, "node_modules/world-atlas/land-110m.json"), "utf8"));
  const { features } = feature(atlas, atlas.objects.land);
  const coordinates = features.flatMap(({ geometry }) => geometry.coordinates).flatMap(cut).filter((rings) => rings.length);
  return JSON.stringify({ type: "MultiPolygon", coordinates }, (_, value) => (typeof value === "number" ? Math.round(value * 100) / 100 : value));
}

function licences() {
  const texts = shipped.map((name) => `${name}\n\n${readFileSync(join(here, "node_modules", name, "LICENSE"), "utf8").trim()}\n`);
  return `Parts of other projects in this folder.\n\n${texts.join("\n\n")}`;
}

rmSync(out, { recursive: true, force: true });
mkdirSync(out);
await build({
  absWorkingDir: here,
  entryPoints: ["src/app.ts", "src/app.css"],
  outdir: out,
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["es2022"],
  minify: true,
  legalComments: "none",
  loader: { ".png": "dataurl" },
  chunkNames: "[name]-[hash]",
  logLevel: "warning",
});
cpSync(join(here, "src/index.html"), join(out, "index.html"));
cpSync(join(here, "src/icon.svg"), join(out, "icon.svg"));
writeFileSync(join(out, "land.json"), land());
writeFileSync(join(out, "licences.txt"), licences());
writeFileSync(join(out, "sources.sha256"), `${digest()}\n`);
