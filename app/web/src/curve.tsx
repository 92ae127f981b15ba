/** The loss over the epochs. */

import "./pictures.css";

import { useEffect, useRef, useState } from "preact/hooks";

import { shown } from "./format";
import { Table } from "./parts";

export interface Line {
  name: string;
  epochs: number[];
  values: (number | null)[];
  dashed?: boolean;
}

type Aligned = [number[], ...(number | null)[][]];

/** Where a number lies, in pixels, and which numbers are written beside. */
interface Scale {
  at: (value: number) => number;
  ticks: number[];
}

const COLOURS = ["positive", "negative", "ink", "muted"];
const MOST_ROWS = 20;
const LEFT = 72;
const RIGHT = 26;
const BOTTOM = 26;
const TOP = 10;
const PIXELS_BETWEEN = { across: 90, up: 44 };

export function Curve({ lines }: { lines: Line[] }) {
  const [wantsLog, setLog] = useState(true);
  const isPositive = lines.every((line) => line.values.every((value) => value === null || value > 0));
  return (
    <figure class="stack">
      <Drawn lines={lines} isLog={wantsLog && isPositive} />
      <figcaption class="between">
        <small>{lines.map(inWords).join(" ")}</small>
        <label class="check">
          <input type="checkbox" checked={wantsLog && isPositive} disabled={!isPositive} onChange={(event) => setLog(event.currentTarget.checked)} />
          Logarithmic
        </label>
      </figcaption>
      <Data lines={lines} />
    </figure>
  );
}

function Drawn({ lines, isLog }: { lines: Line[]; isLog: boolean }) {
  const [holder, width] = useWidth();
  const [pointed, point] = useState<number>();
  const height = Math.min(420, Math.max(220, width / 1.8));
  const [epochs, ...columns] = aligned(lines);
  const x = scaleOf([epochs[0] ?? 0, epochs.at(-1) ?? 1], LEFT, width - RIGHT, false, PIXELS_BETWEEN.across);
  const y = scaleOf(endsOf(columns.flat()), height - BOTTOM, TOP, isLog, PIXELS_BETWEEN.up);
  const place = pointed === undefined ? epochs.length - 1 : nearest(epochs, x, pointed);
  const heard = (event: PointerEvent) => point(event.offsetX);
  return (
    <div ref={holder} class="curve" aria-hidden="true">
      <svg width={width} height={height} onPointerMove={heard} onPointerLeave={() => point(undefined)}>
        {y.ticks.map((tick) => <><line x1={LEFT} x2={width} y1={y.at(tick)} y2={y.at(tick)} /><text x={LEFT - 8} y={y.at(tick) + 4} text-anchor="end">{shown(tick)}</text></>)}
        {x.ticks.map((tick) => <text x={x.at(tick)} y={height - 6} text-anchor="middle">{shown(tick)}</text>)}
        {columns.map((values, index) => (
          <polyline class={COLOURS[index % COLOURS.length]} stroke-dasharray={lines[index]?.dashed ? "6 4" : undefined} points={pointsOf(epochs, values, x, y)} />
        ))}
        {pointed !== undefined && <line class="pointer" x1={x.at(epochs[place] ?? 0)} x2={x.at(epochs[place] ?? 0)} y1={TOP} y2={height - BOTTOM} />}
      </svg>
      <p class="legend">
        <span>epoch {shown(epochs[place])}</span>
        {lines.map(({ name, dashed }, index) => (
          <span><svg class="sample" viewBox="0 0 30 8"><line class={COLOURS[index % COLOURS.length]} x2="30" y1="4" y2="4" stroke-dasharray={dashed ? "6 4" : undefined} /></svg> {name} {shown(columns[index]?.[place])}</span>
        ))}
      </p>
    </div>
  );
}

/** Follow the width of an element. */
function useWidth() {
  const holder = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(480);
  useEffect(() => {
    const watching = new ResizeObserver(([entry]) => setWidth(Math.max(200, Math.floor(entry?.contentRect.width ?? 0))));
    if (holder.current) watching.observe(holder.current);
    return () => watching.disconnect();
  }, []);
  return [holder, width] as const;
}

function endsOf(values: (number | null)[]): [number, number] {
  const known = values.filter((value) => value !== null);
  const [lowest, highest] = [Math.min(...known), Math.max(...known)];
  if (!known.length) return [0, 1];
  return lowest < highest ? [lowest, highest] : [lowest - (Math.abs(lowest) || 1) / 2, highest + (Math.abs(highest) || 1) / 2];
}

/** Lay numbers out between two places, with a round number about every so many pixels. */
function scaleOf([lowest, highest]: [number, number], from: number, to: number, isLog: boolean, between: number): Scale {
  const of = isLog ? Math.log10 : (value: number) => value;
  const [first, size] = [of(lowest), of(highest) - of(lowest) || 1];
  const at = (value: number) => from + ((of(value) - first) / size) * (to - from);
  const most = Math.max(2, Math.abs(to - from) / between);
  const raw = size / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = isLog && size > 1 ? Math.ceil(raw) : power * ([1, 2, 5, 10].find((times) => times * power >= raw) ?? 10);
  const count = Math.floor((first + size) / step + 1e-9) - Math.ceil(first / step - 1e-9) + 1;
  const ticks = Array.from({ length: Math.max(0, count) }, (_, index) => (Math.ceil(first / step - 1e-9) + index) * step);
  return { at, ticks: isLog ? ticks.map((tick) => 10 ** tick) : ticks };
}

function pointsOf(epochs: number[], values: (number | null)[], x: Scale, y: Scale): string {
  return values.flatMap((value, place) => (value === null ? [] : [`${x.at(epochs[place] ?? 0).toFixed(1)},${y.at(value).toFixed(1)}`])).join(" ");
}

const nearest = (epochs: number[], x: Scale, pixel: number): number =>
  epochs.reduce((best, epoch, place) => (Math.abs(x.at(epoch) - pixel) < Math.abs(x.at(epochs[best] ?? 0) - pixel) ? place : best), 0);

/** All lines over the epochs of all of them. */
function aligned(lines: Line[]): Aligned {
  const epochs = [...new Set(lines.flatMap((line) => line.epochs))].sort((one, other) => one - other);
  const values = lines.map((line) => {
    const at = new Map(line.epochs.map((epoch, place) => [epoch, line.values[place]]));
    return epochs.map((epoch) => at.get(epoch) ?? null);
  });
  return [epochs, ...values];
}

function inWords({ name, epochs, values }: Line): string {
  const known = values.flatMap((value, place) => (value === null ? [] : [[epochs[place] ?? 0, value] as const]));
  const [first, last] = [known[0], known.at(-1)];
  if (!first || !last) return `${name}: nothing yet.`;
  const lowest = known.reduce((best, point) => (point[1] < best[1] ? point : best));
  const at = ([epoch, value]: readonly [number, number]) => `${shown(value)} after epoch ${shown(epoch)}`;
  return `${name}: ${at(first)}, ${at(last)}; lowest ${at(lowest)}.`;
}

function Data({ lines }: { lines: Line[] }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>As a table</summary>
      {isOpen && <Rows lines={lines} />}
    </details>
  );
}

function Rows({ lines }: { lines: Line[] }) {
  const [epochs, ...values] = aligned(lines);
  const count = Math.min(MOST_ROWS, epochs.length);
  const places = Array.from({ length: count }, (_, step) => Math.round((step * (epochs.length - 1)) / Math.max(1, count - 1)));
  return (
    <Table caption="The loss after some of the epochs" head={["Epoch", ...lines.map((line) => line.name)]}>
      {places.map((place) => (
        <tr>
          <td>{shown(epochs[place])}</td>
          {values.map((column) => <td>{shown(column[place])}</td>)}
        </tr>
      ))}
    </Table>
  );
}
