/** Numbers, times and sizes as the reader's language writes them. */

const languages = [...navigator.languages];
const plain = new Intl.NumberFormat(languages, { maximumSignificantDigits: 5 });
const exact = new Intl.NumberFormat(languages, { maximumSignificantDigits: 15 });
const scientific = new Intl.NumberFormat(languages, { notation: "scientific", maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat(languages, { style: "percent", maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat(languages, { notation: "compact", maximumSignificantDigits: 3 });
const moment = new Intl.DateTimeFormat(languages, { dateStyle: "medium", timeStyle: "short" });
const listed = new Intl.ListFormat(languages, { type: "conjunction" });

/** A whole number, another in about five digits, or any other value as it is. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return Array.isArray(value) ? value.map(shown).join(", ") : String(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return exact.format(value);
  return size !== 0 && (size < 1e-4 || size >= 1e9) ? scientific.format(value) : plain.format(value);
}

export const allDigits = (value: number): string => exact.format(value);
export const share = (value: number): string => percent.format(value);
export const short = (value: number): string => compact.format(value);
export const when = (time: string | null): string => (time ? moment.format(new Date(time)) : "–");
export const list = (words: string[]): string => listed.format(words);

/** A span of time in its largest unit. */
export function duration(seconds: number): string {
  const [value, unit] = seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  const digits = value < 10 ? 1 : 0;
  return new Intl.NumberFormat(languages, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits }).format(value);
}

export function bytes(count: number): string {
  const [value, unit] = count < 1e3 ? [count, "byte"] : count < 1e6 ? [count / 1e3, "kilobyte"] : [count / 1e6, "megabyte"];
  return new Intl.NumberFormat(languages, { style: "unit", unit, maximumFractionDigits: 1 }).format(value);
}
