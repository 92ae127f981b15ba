/** How good a version is: numbers on rows that it had not learnt from where some were held out, else on those it learnt. */

import type { Schemas } from "../api";
import { shown } from "../format";

type Report = Schemas["OneVersion"]["report"];
type Rows = "validation" | "training";

export const LARGER_IS_BETTER = /accuracy|auc|exact_match|^r2$/;
const TELLING = ["accuracy", "rmse"];
const SHORT: Record<string, string> = { mse: "MSE", rmse: "RMSE", mae: "MAE", auc: "AUC", r2: "R²" };

export const rowsOf = ({ metrics }: Report): Rows => (metrics.validation ? "validation" : "training");

/** Of which rows the metrics are. */
export function judgedBy({ report, continued_from: before }: Pick<Schemas["OneVersion"], "report" | "continued_from">): string {
  if (!report.metrics.validation) return "on the rows that were learnt, as none were held out: this says little of other rows";
  const rows = `on ${shown(report.rows_held_out)} rows`;
  return before ? `${rows} that were held out this time, but that ${before} may have learnt` : `${rows} that were not learnt from`;
}

export function metricsOf(report: Report, rows: Rows): [string, number][] {
  return Object.entries(report.metrics[rows] ?? {}).filter((each): each is [string, number] => typeof each[1] === "number");
}

/** The one metric that tells most. */
export function telling(report: Report): [string, number] | undefined {
  const known = metricsOf(report, rowsOf(report));
  return known.find(([name]) => TELLING.includes(name)) ?? known[0];
}

export const inWords = (metric: string): string => SHORT[metric] ?? metric.replaceAll("_", " ");
