import { type BuildEnvironmentOptions, defineConfig } from "vite";

const SERVICE = "http://127.0.0.1:8000";
const ROUTES = ["/train", "/predict", "/models", "/jobs", "/datasets", "/openapi.json", "/livez", "/readyz"];

// Small files that are loaded together: compressed one by one, they would make the page a twentieth larger.
const GROUPS = [
  { name: "manage", test: /views.(aliases|compare|datasets|jobs|metrics|models|pages|snippets|sure|take|versions)\.tsx?$/ },
  { name: "shared", test: /src.(format|setup)\.ts$|views.(columns|table)\.tsx?$/ },
  { name: "pictures", test: /src.(colours|curve|diagram|network|predicted|surface)\.tsx?$/ },
];

const PAGE: BuildEnvironmentOptions = {
  rolldownOptions: { output: { codeSplitting: { includeDependenciesRecursively: false, groups: GROUPS } } },
};

// The documentation shares nothing with the page, and is large, which only those feel who open it.
const DOCS: BuildEnvironmentOptions = {
  emptyOutDir: false,
  rolldownOptions: { input: "docs.html" },
  chunkSizeWarningLimit: 2000,
};

// Addresses are relative, so that the page works behind any path prefix.
export default defineConfig(({ mode }) => ({
  base: "./",
  build: {
    outDir: "built",
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    ...(mode === "docs" ? DOCS : PAGE),
  },
  server: { proxy: Object.fromEntries(ROUTES.map((route) => [route, SERVICE])) },
}));
