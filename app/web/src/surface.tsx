/** The answer over two columns, or along one, computed here; where nothing was learnt is hatched. */

import "./pictures.css";

import type { ComponentChildren } from "preact";
import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";

import { rgbOf, useDark } from "./colours";
import { shown } from "./format";
import { answerOf, layersOf, type Cell, type Column, type Row, type Weights } from "./network";
import { Field } from "./parts";

type Label = string | boolean | number;

interface Props {
  weights: Weights;
  columns: Column[];
  row: Row;
  labels: Label[] | null;
  targets: string[];
  /** A unit of one network, whose own a is drawn instead; it is no label and no target. */
  unit?: { layer: number; unit: number; member: number };
}

/** A column of numbers: what was trained on, and a quarter more on each side. */
interface Span {
  name: string;
  lowest: number;
  highest: number;
  from: number;
  width: number;
}

interface Cells {
  across: number;
  values: number[];
  lowest: number;
  highest: number;
}

const MOST_CELLS = 48;
const FEWEST_CELLS = 12;
const OPERATIONS = 3e6;
const OPERATIONS_OF_A_PASS = 60;
const MS_BETWEEN = 100;
const WIDER = 0.25;

export function Surface(props: Props) {
  const { columns, labels, targets } = props;
  const spans = useMemo(() => columns.flatMap(spanOf).map((span) => wideEnough(span, props.row)), [columns, props.row]);
  const [xName, setX] = useState("");
  const [yName, setY] = useState<string>();
  const [answer, setAnswer] = useState<number>();
  const x = spans.find(({ name }) => name === xName) ?? spans[0];
  if (!x) return <p class="muted">There is no column of numbers to draw the answer along.</p>;
  const others = spans.filter((span) => span !== x);
  const y = yName === "" ? undefined : (others.find(({ name }) => name === yName) ?? others[0]);
  const choices = labels && targets.length === 1 ? labels.map(String) : targets;
  const chosen = answer ?? (labels ? choices.length - 1 : 0);
  return (
    <div class="stack">
      <div class="row">
        <Choice label="Across" value={x.name} of={spans.map(({ name }) => [name, name])} onPick={setX} />
        {others.length > 0 && <Choice label="Up" value={y?.name ?? ""} of={[...others.map(({ name }) => [name, name] as const), ["", "the answer"]]} onPick={setY} />}
        {choices.length > 1 && <Choice label={labels ? "Probability of" : "Answer"} value={chosen} of={choices.map((name, place) => [place, name])} onPick={(value) => setAnswer(Number(value))} />}
      </div>
      <Drawn {...props} x={x} y={y} chosen={chosen} title={labels ? `probability of ${choices[chosen]}` : (choices[chosen] ?? "")} />
    </div>
  );
}

function Choice({ label, value, of, onPick }: { label: string; value: string | number; of: (readonly [string | number, string])[]; onPick: (value: string) => void }) {
  return (
    <Field label={label}>
      <select value={value} onChange={(event) => onPick(event.currentTarget.value)}>
        {of.map(([key, name]) => <option value={key}>{name}</option>)}
      </select>
    </Field>
  );
}

function spanOf({ name, kind, lowest, highest }: Column): Span[] {
  if ((kind !== "number" && kind !== "integer") || typeof lowest !== "number" || typeof highest !== "number") return [];
  const wider = (highest - lowest || 1) * WIDER;
  return [{ name, lowest, highest, from: lowest - wider, width: highest - lowest + 2 * wider }];
}

/** Go as far as the row that is asked does, so that it is on the picture. */
function wideEnough(span: Span, row: Row): Span {
  const value = row[span.name];
  if (typeof value !== "number" || !Number.isFinite(value)) return span;
  const from = Math.min(span.from, value);
  return { ...span, from, width: Math.max(span.from + span.width, value) - from };
}

type DrawnProps = Props & { x: Span; y: Span | undefined; chosen: number; title: string };

function Drawn(props: DrawnProps) {
  const { row, x, y, title } = props;
  const cells = useCells(props);
  const [point, setPoint] = useState<[number, number]>();
  const own: [number, number] = [placeOf(row, x), y ? placeOf(row, y) : 0.5];
  const [right, up] = point ?? own;
  const here = !point ? row : { ...row, [x.name]: x.from + right * x.width, ...(y && { [y.name]: y.from + up * y.width }) };
  const value = oneOf(props, here);
  const at = [x, ...(y ? [y] : [])].map(({ name }) => `${name} ${shown(here[name])}`).join(", ");
  const height = (answer: number): number => (cells ? (answer - cells.lowest) / (cells.highest - cells.lowest || 1) : 0);
  return (
    <>
      <div class="plot">
        <span class="up">{y ? <Ends span={y} /> : <Ends span={{ name: title, from: cells?.lowest ?? 0, width: (cells?.highest ?? 1) - (cells?.lowest ?? 0) }} />}</span>
        <Pad label={`The answer over ${x.name}${y ? ` and ${y.name}` : ""}; arrow keys move the point`} point={[right, up]} move={setPoint} leave={() => setPoint(undefined)}>
          {y && cells && <Painted cells={cells} />}
          <svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
            <Untrained x={x} y={y} />
            {!y && cells && <polyline class="answers" points={cells.values.map((one, place) => `${((place + 0.5) / cells.across) * 100},${100 - 100 * height(one)}`).join(" ")} />}
          </svg>
          <Mark kind="own" right={own[0]} up={y ? own[1] : height(oneOf(props, row))} />
          {point && <Mark kind="point" right={right} up={y ? up : height(value)} />}
        </Pad>
        <span class="between"><Ends span={x} /></span>
      </div>
      {y && cells && <Scale cells={cells} />}
      <output>{point ? "" : "This row: "}{at} → {title} <strong>{shown(value)}</strong></output>
      <small>
        Hatched: outside of what was trained on ({[x, y].filter((span) => span !== undefined).map(({ name, lowest, highest }) => `${name} ${shown(lowest)} to ${shown(highest)}`).join(", ")}).
        The ring is this row; other columns are as in it.
      </small>
    </>
  );
}

const Ends = ({ span }: { span: Pick<Span, "name" | "from" | "width"> }) => <><span>{shown(span.from)}</span><span>{span.name}</span><span>{shown(span.from + span.width)}</span></>;

const clamped = (share: number): number => Math.min(1, Math.max(0, share));

function placeOf(row: Row, span: Span): number {
  const value: Cell = row[span.name] ?? null;
  return value === null ? 0.5 : clamped((Number(value) - span.from) / span.width);
}

/** The answer that was chosen: a number, the probability of a label, or what a unit comes to. */
function oneOf({ weights, labels, chosen, unit }: DrawnProps, row: Row): number {
  if (unit) return layersOf(weights, row, unit.member).layers[unit.layer]?.a[unit.unit] ?? NaN;
  const answers = answerOf(weights, row);
  if (labels?.length === 2 && answers.length === 1) return chosen ? (answers[0] ?? NaN) : 1 - (answers[0] ?? NaN);
  return answers[chosen] ?? NaN;
}

/** Compute the answers anew when anything changes, ten times a second at most; fewer of large networks. */
function useCells(props: DrawnProps): Cells | undefined {
  const [cells, setCells] = useState<Cells>();
  const last = useRef(-Infinity);
  useEffect(() => {
    let frame = 0;
    const draw = () => {
      last.current = performance.now();
      setCells(cellsOf(props));
    };
    const timer = setTimeout(() => (frame = requestAnimationFrame(draw)), last.current + MS_BETWEEN - performance.now());
    return () => {
      clearTimeout(timer);
      cancelAnimationFrame(frame);
    };
  }, [props.weights, props.row, props.x, props.y, props.chosen, props.unit]);
  return cells && cells.values.length === cells.across * (props.y ? cells.across : 1) ? cells : undefined;
}

function cellsOf(props: DrawnProps): Cells {
  const { weights, row, x, y, labels, unit } = props;
  const cost = (unit ? weights.members.slice(0, 1) : weights.members).reduce((sum, { layers }) => layers.reduce((most, { W }) => most + W.length * (W[0]?.length ?? 0), sum + OPERATIONS_OF_A_PASS), 0);
  const across = Math.round(Math.min(MOST_CELLS, Math.max(FEWEST_CELLS, Math.sqrt(OPERATIONS / cost))));
  const here = { ...row };
  const values = Array.from({ length: across * (y ? across : 1) }, (_, cell) => {
    here[x.name] = x.from + (((cell % across) + 0.5) / across) * x.width;
    if (y) here[y.name] = y.from + y.width * (1 - (Math.floor(cell / across) + 0.5) / across);
    return oneOf(props, here);
  });
  return { across, values, lowest: labels ? 0 : Math.min(...values), highest: labels ? 1 : Math.max(...values) };
}

/** The cells in colours from that of low answers to that of high ones. */
function Painted({ cells: { across, values, lowest, highest } }: { cells: Cells }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const isDark = useDark();
  const colours = useMemo(() => ["--negative", "--card", "--positive"].map(rgbOf), [isDark]);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const image = context.createImageData(across, across);
    values.forEach((value, cell) => {
      const share = 2 * clamped((value - lowest) / (highest - lowest || 1));
      const [from, to] = share < 1 ? [colours[0], colours[1]] : [colours[1], colours[2]];
      const mixed = (from ?? []).map((part, place) => part + ((to?.[place] ?? 0) - part) * (share % 1 || (share === 2 ? 1 : 0)));
      image.data.set([...mixed, 255], 4 * cell);
    });
    context.putImageData(image, 0, 0);
  }, [values, colours]);
  return <canvas ref={canvas} width={across} height={across} aria-hidden="true" />;
}

const Scale = ({ cells: { lowest, highest } }: { cells: Cells }) => (
  <div class="scale"><div /><span class="between"><span>{shown(lowest)}</span><span>{shown((lowest + highest) / 2)}</span><span>{shown(highest)}</span></span></div>
);

function Untrained({ x, y }: { x: Span; y: Span | undefined }) {
  const id = useId();
  const [left, wide] = [(100 * (x.lowest - x.from)) / x.width, (100 * (x.highest - x.lowest)) / x.width];
  const [bottom, high] = y ? [(100 * (y.lowest - y.from)) / y.width, (100 * (y.highest - y.lowest)) / y.width] : [0, 100];
  const inside = `M${left} ${100 - bottom}h${wide}v${-high}h${-wide}z`;
  return (
    <>
      <pattern id={id} width="3" height="3" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch" d="M0 0v3" /></pattern>
      <path d={`M0 0h100v100H0z${inside}`} fill={`url(#${id})`} fill-rule="evenodd" />
      <path class="trained" d={inside} />
    </>
  );
}

const Mark = ({ kind, right, up }: { kind: string; right: number; up: number }) => (
  <i class={`mark ${kind}`} style={{ left: `${100 * right}%`, top: `${100 - 100 * clamped(up)}%` }} />
);

const ARROWS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const STRIDE = 0.025;

/** Where a point is moved by the pointer or by arrow keys. */
function Pad({ label, point, move, leave, children }: { label: string; point: [number, number]; move: (point: [number, number]) => void; leave: () => void; children: ComponentChildren }) {
  const byPointer = (event: PointerEvent & { currentTarget: HTMLElement }) => {
    const box = event.currentTarget.getBoundingClientRect();
    move([clamped((event.clientX - box.left) / box.width), clamped(1 - (event.clientY - box.top) / box.height)]);
  };
  const byKey = (event: KeyboardEvent) => {
    const arrow = ARROWS[event.key];
    if (event.key === "Escape") leave();
    if (!arrow) return;
    event.preventDefault();
    move([clamped(point[0] + STRIDE * arrow[0]), clamped(point[1] + STRIDE * arrow[1])]);
  };
  return (
    <div class="pad" role="application" aria-label={label} tabIndex={0} onPointerMove={byPointer} onPointerDown={byPointer} onPointerLeave={leave} onKeyDown={byKey} onBlur={leave}>
      {children}
    </div>
  );
}
