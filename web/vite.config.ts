import { defineConfig } from "vitest/config";
import { licenses } from "./plugins/licenses.ts";

export default defineConfig({
  build: {
    outDir: "../src/unknot/report/static",
    emptyOutDir: false,
    target: "es2022",
    lib: {
      entry: "src/mount.ts",
      formats: ["es"],
      fileName: () => "unknot.js",
      cssFileName: "unknot",
    },
    // A library is not minified whole unless its output asks for it.
    rolldownOptions: { output: { minify: true } },
    cssMinify: true,
    sourcemap: false,
    reportCompressedSize: false,
  },
  plugins: [licenses("LICENSES.txt")],
  test: { environment: "jsdom", include: ["test/**/*.test.ts"] },
});
