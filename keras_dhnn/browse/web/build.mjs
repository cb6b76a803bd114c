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

/** Natural Earth's land (1:110 million, public domain) as GeoJSON, to a hundredth of a degree. */
function land() {
  const atlas = JSON.parse(readFileSync(join(here, "node_modules/world-atlas/land-110m.json"), "utf8"));
  return JSON.stringify(feature(atlas, atlas.objects.land), (_, value) => (typeof value === "number" ? Math.round(value * 100) / 100 : value));
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
