/** The table to learn from: where it comes from, what the service takes it for, and what is better known before. */

import { ask, get, type Schemas } from "../api";
import { share, shown } from "../format";
import { TUTORIAL } from "../setup";

export type Understood = Schemas["DatasetDetail"];
export type Summary = Schemas["ColumnSummary"];
export type Kinds = Record<string, string>;

/** A table as text, as a file that is too large to be shown, or kept by the service; `suggests` a name for its model. */
export interface Source {
  suggests: string;
  kinds: Kinds;
  text?: string;
  isTyped?: boolean;
  file?: File;
  dataset?: string;
}

const LONGEST_TEXT = 1e6;
const FEW_ROWS = 10;
const CSV = "text/csv";
const TYPES: Record<string, string> = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  parquet: "application/vnd.apache.parquet",
};

export const tutorial: Source = { suggests: "exam", kinds: {}, text: TUTORIAL };

export const typeOf = (file: File): string => TYPES[file.name.split(".").pop()!.toLowerCase()] ?? CSV;

/** What the service takes as a model's name, made from any text. */
const nameFrom = (text: string): string =>
  text.toLowerCase().normalize("NFKD").replace(/[^a-z0-9_-]+/g, "-").replace(/^[^a-z0-9]+|-+$/g, "").slice(0, 63);

/** A file that is small and in UTF-8 becomes text that can be edited. */
export async function sourceOf(file: File): Promise<Source> {
  const source = { suggests: nameFrom(file.name.replace(/\.[^.]*$/, "")), kinds: {} };
  if (file.size > LONGEST_TEXT || typeOf(file) !== CSV) return { ...source, file };
  try {
    return { ...source, text: new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()) };
  } catch {
    return { ...source, file }; // the service tells other encodings
  }
}

/** The source after its text was edited; a table with other columns is no longer the tutorial's exam. */
export function edited(source: Source, text: string): Source {
  const isExam = text.startsWith(TUTORIAL.split("\n", 1)[0]!);
  const before = source.suggests === tutorial.suggests ? "" : source.suggests;
  return { kinds: source.kinds, text, isTyped: true, suggests: isExam ? before || tutorial.suggests : before };
}

const asked = new WeakMap<Source, Promise<Understood>>();

/** What the service understands; a table is sent once. */
export function understood(source: Source): Promise<Understood> {
  const before = asked.get(source);
  if (before) return before;
  const answer = source.dataset ? get<Understood>(`datasets/${encodeURIComponent(source.dataset)}`) : upload(source);
  asked.set(source, answer);
  answer.catch(() => forget(source));
  return answer;
}

export const forget = (source: Source): void => void asked.delete(source);

async function upload({ text, file, kinds }: Source): Promise<Understood> {
  const query = Object.keys(kinds).length ? `?kinds=${encodeURIComponent(JSON.stringify(kinds))}` : "";
  const headers = { "content-type": file ? typeOf(file) : CSV };
  return (await ask(`datasets${query}`, { method: "POST", body: file ?? text ?? "", headers })).json();
}

/** A table with its columns taken for what they are stated to be, which a description of its cells does not tell. */
export const stated = (table: Understood, kinds: Kinds): Understood =>
  ({ ...table, columns: table.columns.map((column) => ({ ...column, kind: kinds[column.name] ?? column.kind })) });

/** What to know of a table before it is learnt, each with what to do. */
export function warnings({ rows, columns }: Understood, targets: string[]): string[] {
  const told = columns.flatMap((column) => ofColumn(column, rows, targets.includes(column.name)));
  if (columns.every(({ name }) => name && !isNaN(Number(name)))) told.unshift("The column names are numbers. If the first line is data, put a line of names above it.");
  if (rows < FEW_ROWS) told.push(`With ${shown(rows)} ${rows === 1 ? "row" : "rows"} every step can be followed, but no answer can be checked: add rows before you rely on one.`);
  return told;
}

function ofColumn({ name, kind, missing_share, histogram, level_count, lowest, highest }: Summary, rows: number, isTarget: boolean): string[] {
  const told: string[] = [];
  const slips = histogram && kind !== "category" ? Math.round(rows * (1 - missing_share)) - histogram.counts.reduce((sum, count) => sum + count, 0) : 0;
  if (slips > 0) told.push(`cells that are no numbers, ${shown(slips)} in all: mend them, or say in Settings that it is a category.`);
  if (missing_share && isTarget) told.push(`it is the target but is missing in ${share(missing_share)} of the rows: leave those rows out.`);
  else if (missing_share > 0.5) told.push(`it is missing in ${share(missing_share)} of the rows: leave it out if it says little.`);
  if (level_count === 1 || (lowest != null && lowest === highest)) {
    told.push(`it has one value, ${isTarget ? "which every answer will be: choose another target" : "of which nothing can be learnt: leave it out"}, or add rows that differ.`);
  } else if (!isTarget && rows >= FEW_ROWS && kind === "category" && (level_count ?? rows) > 0.9 * rows) {
    told.push("it differs in nearly every row, as the name of a row does: leave it out.");
  }
  return told.map((words) => `${name}: ${words}`);
}
