/** Two versions of a model, side by side. */

import "./manage.css";

import { useState } from "preact/hooks";

import { get, post, Problem, send, versionPath, type Schemas } from "../api";
import { Curve } from "../curve";
import { shown } from "../format";
import { link, useLoaded } from "../hooks";
import { startRow, type Column, type Row } from "../network";
import { Action, Card, Failure, Field, Loading, Table } from "../parts";
import { judgedBy, inWords, LARGER_IS_BETTER, metricsOf, rowsOf } from "./metrics";

type Model = Schemas["OneVersion"];
type History = Schemas["HistoryAnswer"];
type Side = { model: Model; history: History };
type Sides = [Side, Side];

const NOT_TWO = new Problem(0, "This link does not name two versions", "Open a model and choose Compare beside one of its versions.");

export default function View({ words: [name = "", one = "", other = ""] }: { words: string[] }) {
  const { value: sides, error } = useLoaded((signal) => load(name, one, other, signal), [name, one, other]);
  if (!sides) return error ? <><h1>Compare</h1><Failure error={error} /></> : <Loading />;
  return (
    <>
      <h1>{name}: {sides.map(({ model: { version } }, index) => <>{index > 0 && " and "}<a href={link("model", name, version)}>version {version}</a></>)}</h1>
      <div class="sides">
        <div>
          <Metrics sides={sides} />
          <BothAsked sides={sides} />
          <Live name={name} sides={sides} />
        </div>
        <div>
          <Card title="How they learnt">
            <Curve lines={sides.map(({ model, history }, index) => ({ name: `loss of version ${model.version}`, epochs: history.epochs, values: history.loss, dashed: index > 0 }))} />
          </Card>
          <Differences sides={sides} />
        </div>
      </div>
    </>
  );
}

async function load(name: string, one: string, other: string, signal: AbortSignal): Promise<Sides> {
  if (!one || !other) throw NOT_TWO;
  const side = async (version: string): Promise<Side> => {
    const path = versionPath(name, encodeURIComponent(version));
    const [model, history] = await Promise.all([get<Model>(path, signal), get<History>(`${path}/history?max_points=500`, signal)]);
    return { model, history };
  };
  return Promise.all([side(one), side(other)]);
}

const heads = (sides: Sides): string[] => ["", ...sides.map(({ model }) => `Version ${model.version}`)];

function Metrics({ sides }: { sides: Sides }) {
  const areHeldOut = sides.every(({ model }) => rowsOf(model.report) === "validation");
  const [a, b] = sides.map(({ model }) => new Map(metricsOf(model.report, areHeldOut ? "validation" : "training"))) as [Map<string, number>, Map<string, number>];
  const names = [...a.keys()].filter((name) => b.has(name));
  const rows = sides.map(({ model }) => `Version ${model.version} ${judgedBy(model)}.`).join(" ");
  return (
    <Card title="How good they are">
      {names.length === 0 ? <p>They have no metric in common.</p> : (
        <Table caption="Metrics" head={heads(sides)}>
          {names.map((name) => {
            const values = [a.get(name) ?? 0, b.get(name) ?? 0];
            const best = (LARGER_IS_BETTER.test(name) ? Math.max : Math.min)(...values);
            return (
              <tr>
                <th scope="row">{inWords(name)}</th>
                {values.map((value) => <td>{shown(value)}{value === best && values[0] !== values[1] && <strong> ✓ better</strong>}</td>)}
              </tr>
            );
          })}
        </Table>
      )}
      <p class="muted">
        {areHeldOut ? rows : "On the rows that were learnt, as one at least held none out: this says little of other rows."}
      </p>
    </Card>
  );
}

/** The settings in which they differ. */
function Differences({ sides }: { sides: Sides }) {
  const [a, b] = sides.map(({ model }) => settingsOf(model)) as [Record<string, string>, Record<string, string>];
  const names = Object.keys({ ...a, ...b }).filter((name) => a[name] !== b[name]);
  return (
    <Card title="What was set otherwise">
      {names.length === 0 ? <p>Nothing: all settings are the same.</p> : (
        <Table caption="Settings that differ" head={heads(sides)}>
          {names.map((name) => <tr><th scope="row">{name}</th><td>{a[name] ?? "–"}</td><td>{b[name] ?? "–"}</td></tr>)}
        </Table>
      )}
    </Card>
  );
}

function settingsOf(model: Model): Record<string, string> {
  const { network, training, scaling } = model;
  const parts = Object.entries({ network, training, scaling, table: { rows: model.report.rows, fingerprint: model.report.fingerprint?.slice(0, 12) } });
  return Object.fromEntries(parts.flatMap(([part, settings]) => Object.entries(settings).map(([name, value]) => [`${part}.${name}`, valueOf(value)])));
}

const valueOf = (value: unknown): string => (typeof value === "string" ? value : value == null ? "–" : JSON.stringify(value));

/** One question to both. */
function BothAsked({ sides }: { sides: Sides }) {
  const columns = [...new Map(sides.flatMap(({ model }) => model.columns.map((column) => [column.name, column]))).values()];
  const [row, setRow] = useState<Row>(() => startRow(columns));
  const { value, error } = useLoaded(
    (signal) => Promise.all(sides.map(({ model }) => post<Schemas["Predictions"]>(`${versionPath(model.model, model.version)}/predict`, { rows: [row], ignore_extra: true }, signal))),
    [row, sides],
  );
  return (
    <Card title="The same question to both">
      <div class="row">
        {columns.map((column) => <Asked column={column} value={String(row[column.name] ?? "")} onValue={(cell) => setRow({ ...row, [column.name]: cell })} />)}
      </div>
      <Failure error={error} />
      <div class="figures" aria-live="polite">
        {value?.map(({ version, predictions, in_range }) => (
          <p>
            <span class="muted">Version {version}</span><br />
            <span class="answer">{shown(predictions[0])}</span>
            {!in_range[0] && <><br /><small>beyond what it learnt</small></>}
          </p>
        ))}
      </div>
    </Card>
  );
}

/** A field for a cell; the service reads numbers and dates as they are typed, and nothing as a gap. */
function Asked({ column: { name, kind, levels }, value, onValue }: { column: Column; value: string; onValue: (cell: Row[string]) => void }) {
  const options = kind === "boolean" ? ["true", "false"] : levels?.map(String);
  const heard = (event: { currentTarget: HTMLInputElement | HTMLSelectElement }) => onValue(event.currentTarget.value || null);
  return (
    <Field label={name}>
      {options ? (
        <select value={value} onChange={heard}><option />{options.map((option) => <option>{option}</option>)}</select>
      ) : (
        <input size={12} inputMode={kind === "number" ? "decimal" : "text"} value={value} onInput={heard} />
      )}
    </Field>
  );
}

/** The alias live, which answers whoever asks for the name alone. */
function Live({ name, sides }: { name: string; sides: Sides }) {
  const path = `models/${encodeURIComponent(name)}/aliases`;
  const { value, error, reload } = useLoaded((signal) => get<Schemas["AliasList"]>(path, signal), [path]);
  const live = value?.aliases.find(({ alias }) => alias === "live");
  const point = async (version: number) => {
    const unchanged: Record<string, string> = live ? { "if-match": `"${live.revision}"` } : { "if-none-match": "*" };
    await send("PUT", `${path}/live`, { version }, undefined, unchanged).finally(reload);
  };
  return (
    <Card title="Which one answers">
      <Failure error={error} />
      <p role="status">
        Whoever asks <code>{name}</code> is answered by {live ? <>version {live.version}: live points there.</> : "the newest version: there is no alias live."}
      </p>
      <div class="row">
        {value && [...new Set(sides.map(({ model }) => model.version))].map((version) => (
          <Action key={version} work={() => point(version)} disabled={version === live?.version}>Point live at version {version}</Action>
        ))}
      </div>
    </Card>
  );
}
