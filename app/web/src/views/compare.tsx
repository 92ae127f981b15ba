/** Two versions of a model, side by side. */

import { useState } from "preact/hooks";

import { get, post, versionPath, type Schemas } from "../api";
import { Curve } from "../curve";
import { shown } from "../format";
import { link, useLoaded } from "../hooks";
import { startRow, type Row } from "../network";
import { Card, Failure, Field, Loading, Table } from "../parts";

type Model = Schemas["OneVersion"];
type History = Schemas["HistoryAnswer"];
type Side = { model: Model; history: History };

const LARGER_IS_BETTER = /accuracy|auc|^r2$/;

export default function View({ words: [name = "", ...versions] }: { words: string[] }) {
  const { value, error } = useLoaded((signal) => Promise.all(versions.slice(0, 2).map((version) => side(name, version, signal))), [name, ...versions]);
  const [a, b] = value ?? [];
  if (!a || !b) return error ? <><h1>Compare</h1><Failure error={error} /></> : <Loading />;
  const sides = [a, b] as [Side, Side];
  return (
    <>
      <h1>{name}: {sides.map(({ model }, index) => <>{index > 0 && " and "}<a href={link("model", name, model.version)}>version {model.version}</a></>)}</h1>
      <div class="columns">
        <Metrics sides={sides} />
        <Card title="How they learnt">
          <Curve lines={sides.map(({ model, history }, index) => ({ name: `loss of version ${model.version}`, epochs: history.epochs, values: history.loss, dashed: index > 0 }))} />
        </Card>
        <Differences sides={sides} />
        <BothAsked sides={sides} />
      </div>
    </>
  );
}

async function side(name: string, version: string, signal: AbortSignal): Promise<Side> {
  const path = versionPath(name, version);
  const [model, history] = await Promise.all([get<Model>(path, signal), get<History>(`${path}/history?max_points=500`, signal)]);
  return { model, history };
}

function Metrics({ sides }: { sides: [Side, Side] }) {
  const told = sides.map(({ model }) => (model.report.metrics.validation ?? model.report.metrics.training ?? {}) as Record<string, unknown>);
  const names = Object.keys(told[0]!).filter((name) => told.every((each) => typeof each[name] === "number"));
  return (
    <Card title="How good they are">
      <Table caption="Metrics" head={["", ...sides.map(({ model }) => `Version ${model.version}`)]}>
        {names.map((name) => {
          const values = told.map((each) => each[name] as number);
          const best = LARGER_IS_BETTER.test(name) ? Math.max(...values) : Math.min(...values);
          return (
            <tr>
              <th scope="row">{name.replaceAll("_", " ")}</th>
              {values.map((value) => <td>{shown(value)}{value === best && values[0] !== values[1] && <strong> better</strong>}</td>)}
            </tr>
          );
        })}
      </Table>
      <p class="muted">
        {sides.map(({ model }) => `Version ${model.version}: ${model.report.metrics.validation ? `${model.report.rows_held_out} rows that were not learnt from` : "the rows that were learnt"}.`).join(" ")}
      </p>
    </Card>
  );
}

/** The settings in which they differ. */
function Differences({ sides }: { sides: [Side, Side] }) {
  const settings = sides.map(({ model }) =>
    Object.fromEntries((["network", "training", "scaling"] as const).flatMap((part) => Object.entries(model[part]).map(([name, value]) => [`${part}.${name}`, JSON.stringify(value)]))),
  );
  const [a, b] = settings as [Record<string, string>, Record<string, string>];
  const names = Object.keys({ ...a, ...b }).filter((name) => a[name] !== b[name]);
  return (
    <Card title="What was set otherwise">
      {names.length === 0 ? <p>Nothing: all settings are the same.</p> : (
        <Table caption="Settings that differ" head={["", ...sides.map(({ model }) => `Version ${model.version}`)]}>
          {names.map((name) => <tr><th scope="row">{name}</th><td>{a[name] ?? "–"}</td><td>{b[name] ?? "–"}</td></tr>)}
        </Table>
      )}
    </Card>
  );
}

/** One question to both. */
function BothAsked({ sides }: { sides: [Side, Side] }) {
  const [row, setRow] = useState<Row>(() => startRow(sides[0].model.columns));
  const { value, error } = useLoaded(
    (signal) => Promise.all(sides.map(({ model }) => post<Schemas["Predictions"]>(`${versionPath(model.model, model.version)}/predict`, { rows: [row], ignore_extra: true }, signal))),
    [row],
  );
  return (
    <Card title="The same question">
      <div class="row">
        {sides[0].model.columns.map(({ name }) => (
          <Field label={name}>
            <input value={String(row[name] ?? "")} onInput={(event) => setRow({ ...row, [name]: event.currentTarget.value || null })} />
          </Field>
        ))}
      </div>
      <Failure error={error} />
      <div class="row" aria-live="polite">
        {value?.map((answer) => <p><span class="muted">Version {answer.version}</span><br /><span class="answer">{shown(answer.predictions[0])}</span></p>)}
      </div>
    </Card>
  );
}
