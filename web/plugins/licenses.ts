import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

interface Package {
  name: string;
  version: string;
  license: string;
  text: string;
}

/** Packages whose own files hold copies of their dependencies. */
const INLINED = new Set(["regl-scatterplot"]);
const NAMES = /^(licen[cs]e|copying)(\.|$)/i;

/** The folder of the package a module is from, or null if it is our own. */
function packageOf(file: string): string | null {
  if (!file.includes("/node_modules/")) return null;
  for (let folder = dirname(file); folder.includes("/node_modules/"); folder = dirname(folder)) {
    const json = join(folder, "package.json");
    if (existsSync(json) && JSON.parse(readFileSync(json, "utf8")).version) return folder;
  }
  return null;
}

function describe(folder: string): Package {
  const json = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((name) => NAMES.test(name));
  const text = file
    ? readFileSync(join(folder, file), "utf8").replace(/\r/g, "").trim()
    : `(The package states its license, ${json.license}, and holds no text of it.)`;
  return { name: json.name, version: json.version, license: String(json.license), text };
}

/** The folders of a package's dependencies, and of theirs. */
function dependenciesOf(folder: string, seen: Set<string>): void {
  const modules = folder.slice(0, folder.lastIndexOf("/node_modules/") + "/node_modules/".length);
  const json = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  for (const name of Object.keys(json.dependencies ?? {})) {
    const nested = join(folder, "node_modules", name);
    const found = existsSync(nested) ? nested : join(modules, name);
    if (seen.has(found)) continue;
    seen.add(found);
    dependenciesOf(found, seen);
  }
}

/** Writes the licenses of every package in the bundle beside it, in the order of their names. */
export function licenses(fileName: string): Plugin {
  return {
    name: "licenses",
    generateBundle(_options, bundle) {
      const folders = new Set<string>();
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        for (const [module, { renderedLength }] of Object.entries(chunk.modules)) {
          const folder = renderedLength > 0 ? packageOf(module) : null;
          if (!folder || folders.has(folder)) continue;
          folders.add(folder);
          if (INLINED.has(describe(folder).name)) dependenciesOf(folder, folders);
        }
      }
      const packages = [...folders].map(describe).sort((a, b) => (a.name < b.name ? -1 : 1));
      const parts = packages.map(
        ({ name, version, license, text }) => `${name} ${version} (${license})\n\n${text}\n`,
      );
      const head = "unknot.js contains these packages:\n";
      const source = [head, ...parts].join(`\n${"-".repeat(80)}\n\n`);
      this.emitFile({ type: "asset", fileName, source });
    },
  };
}
