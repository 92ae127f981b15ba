"""The page at `/`: TypeScript in `src`, which `npm run build` makes into `built`, and the routes that send it."""
