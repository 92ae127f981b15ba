import { defineConfig } from "vite";

const SERVICE = "http://127.0.0.1:8000";
const ROUTES = ["/train", "/predict", "/models", "/jobs", "/datasets", "/docs", "/openapi.json", "/livez", "/readyz"];

// Small files that are loaded together: compressed one by one, they would make the page a twentieth larger.
const GROUPS = [
  { name: "manage", test: /views.(aliases|compare|datasets|jobs|metrics|models|pages|snippets|sure|take|versions)\.tsx?$/ },
  { name: "shared", test: /src.(format|setup)\.ts$|views.(columns|table)\.tsx?$/ },
  { name: "pictures", test: /src.(colours|curve|diagram|network|predicted|surface)\.tsx?$/ },
];

// Addresses are relative, so that the page works behind any path prefix.
export default defineConfig({
  base: "./",
  build: {
    outDir: "built",
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: { output: { codeSplitting: { includeDependenciesRecursively: false, groups: GROUPS } } },
  },
  server: { proxy: Object.fromEntries(ROUTES.map((route) => [route, SERVICE])) },
});
