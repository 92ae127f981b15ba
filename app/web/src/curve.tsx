/** The loss over the epochs. */

import "uplot/dist/uPlot.min.css";
import "./pictures.css";

import { useEffect, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";

import { colourOf, useDark } from "./colours";
import { shown } from "./format";
import { Table } from "./parts";

export interface Line {
  name: string;
  epochs: number[];
  values: (number | null)[];
  dashed?: boolean;
}

const COLOURS = ["--positive", "--negative", "--ink", "--muted"];
const MOST_ROWS = 20;
const FONT = "12px system-ui, sans-serif";

export function Curve({ lines }: { lines: Line[] }) {
  const [wantsLog, setLog] = useState(true);
  const isPositive = lines.every((line) => line.values.every((value) => value === null || value > 0));
  const isLog = wantsLog && isPositive;
  const holder = useDrawn(lines, isLog);
  return (
    <figure class="stack">
      <div ref={holder} class="curve" aria-hidden="true" />
      <figcaption class="between">
        <small>{lines.map(inWords).join(" ")}</small>
        <label class="check">
          <input type="checkbox" checked={isLog} disabled={!isPositive} onChange={(event) => setLog(event.currentTarget.checked)} />
          Logarithmic
        </label>
      </figcaption>
      <Data lines={lines} />
    </figure>
  );
}

/** Keep a plot inside an element: its data, its width, its colours. */
function useDrawn(lines: Line[], isLog: boolean) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const data = useRef<uPlot.AlignedData>([[]]);
  const isDark = useDark();
  const names = lines.map((line) => line.name).join();
  data.current = aligned(lines);
  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    let isGone = false;
    const size = () => ({ width: Math.max(200, element.clientWidth), height: Math.min(420, Math.max(220, element.clientWidth / 1.6)) });
    const watching = new ResizeObserver(() => plot.current?.setSize(size()));
    import("uplot").then(({ default: Plot }) => {
      if (isGone) return;
      plot.current = new Plot({ ...optionsOf(lines, isLog), ...size() }, data.current, element);
      watching.observe(element);
    });
    return () => {
      isGone = true;
      watching.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [isDark, isLog, names]);
  useEffect(() => plot.current?.setData(data.current), [lines]);
  return holder;
}

function optionsOf(lines: Line[], isLog: boolean): Omit<uPlot.Options, "width" | "height"> {
  const axis = { stroke: colourOf("--muted"), grid: { stroke: colourOf("--line"), width: 1 }, ticks: { show: false }, font: FONT };
  return {
    scales: { x: { time: false }, y: { distr: isLog ? 3 : 1 } },
    axes: [axis, { ...axis, size: 72, values: (_, splits) => splits.map((value) => (value === null ? "" : shown(value))) }],
    series: [
      { label: "Epoch", value: (_, value) => shown(value) },
      ...lines.map((line, place) => ({
        label: line.name,
        stroke: colourOf(COLOURS[place % COLOURS.length] ?? "--ink"),
        width: 2,
        spanGaps: true,
        ...(line.dashed && { dash: [6, 4] }),
        value: (_: uPlot, value: number | null) => shown(value),
      })),
    ],
    cursor: { drag: { x: false, y: false } },
  };
}

/** All lines over the epochs of all of them. */
function aligned(lines: Line[]): uPlot.AlignedData {
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
