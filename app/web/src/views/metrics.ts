/** How good a version is: numbers on rows that it had not learnt from where some were held out, else on those it learnt. */

import type { Schemas } from "../api";

type Report = Schemas["OneVersion"]["report"];
type Rows = "validation" | "training";

export const LARGER_IS_BETTER = /accuracy|auc|^r2$/;
const TELLING = ["accuracy", "rmse"];

export const rowsOf = ({ metrics }: Report): Rows => (metrics.validation ? "validation" : "training");

export function metricsOf(report: Report, rows: Rows): [string, number][] {
  return Object.entries(report.metrics[rows] ?? {}).filter((each): each is [string, number] => typeof each[1] === "number");
}

/** The one metric that tells most. */
export function telling(report: Report): [string, number] | undefined {
  const known = metricsOf(report, rowsOf(report));
  return known.find(([name]) => TELLING.includes(name)) ?? known[0];
}

export const inWords = (metric: string): string => metric.replaceAll("_", " ");
