import { defineConfig } from "vite";

const SERVICE = "http://127.0.0.1:8000";
const ROUTES = ["/train", "/predict", "/models", "/jobs", "/datasets", "/docs", "/openapi.json", "/livez", "/readyz"];

// Addresses are relative, so that the page works behind any path prefix.
export default defineConfig({
  base: "./",
  build: { outDir: "built", target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  server: { proxy: Object.fromEntries(ROUTES.map((route) => [route, SERVICE])) },
});
