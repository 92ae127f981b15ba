/** A network as it is: units in layers, and between them weights that differ by colour, dashes and width. */

import "./pictures.css";

import { shown } from "./format";
import type { LayerValues, Weights } from "./network";
import { Field } from "./parts";

interface Props {
  weights: Weights;
  columns: string[];
  targets: string[];
  values?: { inputs: number[]; layers: LayerValues[] };
  /** Layers count from 0, which is the first hidden one; the last is the output. */
  picked?: { layer: number; unit: number };
  onPick?: (layer: number, unit: number) => void;
  member?: number;
}

interface Unit {
  layer: number;
  unit: number;
  x: number;
  y: number;
  name: string;
  bias: number | undefined;
  a: number | undefined;
}

type Layers = Weights["members"][number]["layers"];

const rounded = new Intl.NumberFormat([...navigator.languages], { notation: "compact", maximumFractionDigits: 2, signDisplay: "negative" }).format;
const MOST_UNITS = 16;
const MOST_NUMBERED = 24;
const RADIUS = 18;
const MARGIN = 50;
const WIDEST = 8;

/** Choose one of several networks. */
export function NetworkChooser({ of, value, onValue }: { of: Weights; value: number; onValue: (member: number) => void }) {
  if (of.members.length < 2) return null;
  return (
    <Field label="Network">
      <select value={value} onChange={(event) => onValue(Number(event.currentTarget.value))}>
        {of.members.map((_, place) => <option value={place}>{place + 1} of {of.members.length}</option>)}
      </select>
    </Field>
  );
}

export function Diagram(props: Props) {
  const { weights, member = 0, targets } = props;
  const layers = weights.members[member]?.layers ?? [];
  const kept = [layers[0]?.W ?? [], ...layers.map((layer) => layer.W[0] ?? [])].map((units, place) => heaviest(units.length, place, layers));
  const most = Math.max(...kept.map(({ units }) => units.length));
  const height = most * (most > 8 ? 46 : 58) + 36;
  const least = 2 * MARGIN + layers.length * 100;
  const width = Math.max(least, Math.min(height * 0.9, least * 1.4));
  const drawn = placed(props, kept.map(({ units }) => units), width, height);
  const left = kept.flatMap(({ left: count }, place) => (count ? [`${count} of ${nameOf(place, layers.length)}`] : []));
  return (
    <figure class="stack">
      <div class="scroll" tabIndex={0} role="region" aria-label="Diagram of the network">
        <svg class="diagram" viewBox={`0 0 ${width} ${height}`} style={{ minWidth: `${least * 0.7}px`, maxWidth: `${width * 1.8}px` }} role="group" aria-label={`Units in each layer: ${kept.map(({ units, left: more }) => units.length + more).join(", ")}; answers ${targets.join(", ")}`}>
          <Edges layers={layers} drawn={drawn} />
          {drawn.flat().map((unit) => <Node {...unit} {...props} />)}
        </svg>
      </div>
      <figcaption>
        <small>
          <Sample class="plus" /> adds, <Sample class="minus" /> subtracts; the wider, the larger.
          {props.values && " In each unit: its value for this row."}
          {left.length > 0 && ` Left out, as they weigh least: ${left.join("; ")}.`}
        </small>
      </figcaption>
    </figure>
  );
}

const Sample = (props: { class: string }) => <svg class="sample" viewBox="0 0 30 8" aria-hidden="true"><line class={props.class} x2="30" y1="4" y2="4" stroke-width="3" /></svg>;

const nameOf = (place: number, last: number): string => (place === 0 ? "the inputs" : place === last ? "the outputs" : `hidden layer ${place}`);

/** The units of a layer that weigh most, in their order, and how many are left out. */
function heaviest(count: number, place: number, layers: Layers): { units: number[]; left: number } {
  const all = Array.from({ length: count }, (_, unit) => unit);
  if (count <= MOST_UNITS) return { units: all, left: 0 };
  const into = layers[place - 1]?.W ?? [];
  const out = layers[place]?.W ?? [];
  const sizes = all.map((unit) => into.reduce((sum, row) => sum + Math.abs(row[unit] ?? 0), 0) + (out[unit] ?? []).reduce((sum, w) => sum + Math.abs(w), 0));
  const units = all.toSorted((one, other) => (sizes[other] ?? 0) - (sizes[one] ?? 0)).slice(0, MOST_UNITS);
  return { units: units.sort((one, other) => one - other), left: count - MOST_UNITS };
}

function placed({ weights, columns, targets, values, member = 0 }: Props, kept: number[][], width: number, height: number): Unit[][] {
  const layers = weights.members[member]?.layers ?? [];
  const inputs = inputNames(weights, member);
  return kept.map((units, place) =>
    units.map((unit, row) => ({
      layer: place - 1,
      unit,
      x: MARGIN + (place * (width - 2 * MARGIN)) / layers.length,
      y: 8 + ((row + 0.5) * (height - 26)) / units.length,
      name: place === 0 ? (inputs[unit] ?? columns[unit] ?? "") : place === layers.length ? (targets[unit] ?? targets[0] ?? "") : "",
      bias: layers[place - 1]?.b?.[unit],
      a: place === 0 ? values?.inputs[unit] : values?.layers[place - 1]?.a[unit],
    })),
  );
}

/** What each input is made of. */
export function inputNames({ inputs, members }: Weights, member: number): string[] {
  let table = 0;
  return inputs.flatMap(({ column, made, level, begins }) => {
    if (made === "embedded") return (members[member]?.embeddings?.[table++]?.[0] ?? []).map((_, place) => `${column} ${place + 1}`);
    if (made === "bin") return `${column} from ${shown(begins)}`;
    return made === "level" ? `${column} = ${level}` : made === "missing" ? `no ${column}` : column;
  });
}

function Edges({ layers, drawn }: { layers: Layers; drawn: Unit[][] }) {
  const edges = layers.flatMap(({ W }, place) => {
    const [from = [], to = []] = [drawn[place], drawn[place + 1]];
    const largest = from.reduce((most, one) => to.reduce((so, other) => Math.max(so, Math.abs(W[one.unit]?.[other.unit] ?? 0)), most), 1e-12);
    return from.flatMap((one, row) => {
      const along = from.length > 1 ? 0.3 + (0.4 * row) / (from.length - 1) : 0.5;
      return to.map((other) => ({ one, other, along, weight: W[one.unit]?.[other.unit] ?? 0, largest }));
    });
  });
  return (
    <>
      {edges.map(({ one, other, weight, largest }) => (
        <line class={weight < 0 ? "minus" : "plus"} x1={one.x} y1={one.y} x2={other.x} y2={other.y} stroke-width={0.4 + ((WIDEST - 0.4) * Math.abs(weight)) / largest}>
          <title>{`${labelOf(one)} to ${labelOf(other)}: ${shown(weight)}`}</title>
        </line>
      ))}
      {edges.length <= MOST_NUMBERED && edges.map(({ one, other, along, weight }) => (
        <text class="weight" x={one.x + along * (other.x - one.x)} y={one.y + along * (other.y - one.y) + 3}>{rounded(weight)}</text>
      ))}
    </>
  );
}

const labelOf = ({ layer, unit, name }: Unit): string =>
  layer < 0 ? `input ${name}` : name ? `output ${name}` : `hidden unit ${unit + 1} of layer ${layer + 1}`;

function Node(props: Unit & Pick<Props, "picked" | "onPick">) {
  const { layer, unit, x, y, name, bias, a, picked, onPick } = props;
  const label = labelOf(props) + (a === undefined ? "" : `, a = ${shown(a)}`) + (bias === undefined ? "" : `, bias ${shown(bias)}`);
  const pick = () => onPick?.(layer, unit);
  const byKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    pick();
  };
  const isButton = onPick && layer >= 0;
  const button = isButton ? { role: "button" as const, tabindex: 0, "aria-pressed": picked?.layer === layer && picked.unit === unit, onClick: pick, onKeyDown: byKey } : { role: "img" as const };
  return (
    <g class="unit" aria-label={label} {...button}>
      <title>{label}</title>
      <circle cx={x} cy={y} r={RADIUS} />
      {a !== undefined && <text x={x} y={y + 3.5}>{rounded(a)}</text>}
      {bias !== undefined && <text class="weight" x={x} y={y - RADIUS - 3}>b {rounded(bias)}</text>}
      {name && <text x={x} y={y + RADIUS + 12}>{name.length > 17 ? `${name.slice(0, 16)}…` : name}</text>}
    </g>
  );
}
