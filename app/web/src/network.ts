/** What a network answers, computed here from its weights, as the service computes it. */

import type { Schemas } from "./api";

export type Cell = number | string | boolean | null;
export type Row = Record<string, Cell>;
export type Column = Pick<Schemas["Column"], "name" | "kind" | "lowest" | "highest" | "levels" | "example" | "missing">;

/** Enough to compute answers: how inputs are made, the networks, and how the target is scaled out. */
export interface Weights {
  inputs: Schemas["InputAnswer"][];
  members: Schemas["MemberAnswer"][];
  target: Schemas["ScalerAnswer"] | null;
  /** What the last z is divided by where probabilities were calibrated; not yet while a network learns. */
  temperature?: number;
}

/** One layer's weighted sums and what its activation makes of them. */
export interface LayerValues {
  z: number[];
  a: number[];
}

const LEAK = 0.01;

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

function softmax(z: number[]): number[] {
  const highest = Math.max(...z);
  const powers = z.map((value) => Math.exp(value - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

const ACTIVATIONS: Record<string, (z: number) => number> = {
  identity: (z) => z,
  exponential: Math.exp,
  sigmoid,
  tanh: Math.tanh,
  relu: (z) => Math.max(z, 0),
  leaky_relu: (z) => (z > 0 ? z : LEAK * z),
  elu: (z) => (z > 0 ? z : Math.expm1(z)),
  silu: (z) => z * sigmoid(z),
  softplus: (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))),
};

/** Whether everything in these weights is of a kind that can be computed here. */
export const isKnown = (weights: Weights): boolean =>
  weights.members.every((member) => member.layers.every((layer) => layer.activation === "softmax" || layer.activation in ACTIVATIONS));

const ZONE = /(Z|[+-]\d\d:?\d\d)$/i;

/** The value of a column, or of a part of a date (`day.month`), in a row; dates are read in UTC. */
export function valueOf(row: Row, name: string): Cell {
  if (name in row) return row[name]!;
  const dot = name.lastIndexOf(".");
  const date = row[name.slice(0, dot)];
  if (typeof date !== "string") return null;
  const read = new Date(!date.includes("T") || ZONE.test(date) ? date : `${date}Z`); // a date alone is in UTC by itself
  const parts: Record<string, number> = {
    year: read.getUTCFullYear(),
    month: read.getUTCMonth() + 1,
    day: read.getUTCDate(),
    weekday: (read.getUTCDay() + 6) % 7,
    hour: (read.getTime() - read.setUTCHours(0, 0, 0, 0)) / 3_600_000, // the last, as it sets the hour
  };
  return parts[name.slice(dot + 1)] ?? null;
}

function inputsOf(weights: Weights, member: Schemas["MemberAnswer"], row: Row): number[] {
  const made: number[] = [];
  let table = 0;
  for (const input of weights.inputs) {
    const value = valueOf(row, input.column);
    const number = Number(value ?? input.fill ?? NaN);
    switch (input.made) {
      case "scaled": {
        const z = (number - input.center!) / input.scale!;
        made.push(input.clip ? z / Math.sqrt(1 + (z / input.clip) ** 2) : z);
        break;
      }
      case "bin":
        made.push(Math.min(1, Math.max(-1, (2 * (number - input.begins!)) / input.width! - 1)));
        break;
      case "missing":
        made.push(value === null ? 1 : 0);
        break;
      case "pair": {
        const levels = input.levels ?? [];
        made.push(value === levels[1] ? 1 : value === levels[0] ? -1 : 0);
        break;
      }
      case "level":
        made.push(value === input.level ? 1 : 0);
        break;
      case "embedded": {
        const vectors = member.embeddings![table++]!;
        made.push(...vectors[1 + (input.levels ?? []).indexOf(value as never)]!);
      }
    }
  }
  return made;
}

/** One network's way from a row to its outputs, layer by layer, in the network's units. */
export function layersOf(weights: Weights, row: Row, index = 0): { inputs: number[]; layers: LayerValues[] } {
  const member = weights.members[index]!;
  const inputs = inputsOf(weights, member, row);
  let a = inputs;
  const layers = member.layers.map((layer, place) => {
    const before = a;
    const z = (layer.b ?? layer.W[0]!.map(() => 0)).map((bias, unit) =>
      before.reduce((sum, value, from) => sum + value * layer.W[from]![unit]!, bias),
    );
    const cooled = place === member.layers.length - 1 ? z.map((value) => value / (weights.temperature ?? 1)) : z;
    a = layer.activation === "softmax" ? softmax(cooled) : cooled.map(ACTIVATIONS[layer.activation]!);
    return { z, a };
  });
  return { inputs, layers };
}

/** The answer of all networks together: numbers in the user's units, or probabilities (one: that of the second label). */
export function answerOf(weights: Weights, row: Row): number[] {
  const outputs = weights.members.map((_, index) => layersOf(weights, row, index).layers.at(-1)!.a);
  const mean = outputs[0]!.map((_, unit) => outputs.reduce((sum, a) => sum + a[unit]!, 0) / outputs.length);
  const target = weights.target;
  return target ? target.center.map((center, unit) => mean[unit]! * target.scale[unit]! + center) : mean;
}

/** A row to begin with: the training's example, its middle where there is none. */
export function startRow(columns: Column[]): Row {
  return Object.fromEntries(columns.map((column) => [column.name, exampleOf(column)]));
}

function exampleOf(column: Column): Cell {
  if (column.example !== null && column.example !== undefined) return column.example as Cell;
  if (column.missing) return null;
  if (typeof column.lowest === "number" && typeof column.highest === "number") return (column.lowest + column.highest) / 2;
  return (column.lowest ?? column.levels?.[0] ?? null) as Cell;
}
