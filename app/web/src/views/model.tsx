import { useEffect, useMemo, useState } from "preact/hooks";

import { get, versionPath, type Schemas } from "../api";
import { Curve } from "../curve";
import { shown, when } from "../format";
import { link, useLoaded } from "../hooks";
import { isKnown, startRow, type Row, type Weights } from "../network";
import { Card, Failure, Figures, Loading } from "../parts";
import { Predicted } from "../predicted";
import { TUTORIAL_QUESTION } from "../setup";
import { Surface } from "../surface";
import { Ask } from "./ask";
import { Inside } from "./inside";
import { Leaderboard } from "./leaderboard";
import { inWords, judgedBy, metricsOf, rowsOf } from "./metrics";
import { TakeAway } from "./take";
import { Versions } from "./versions";

type Model = Schemas["OneVersion"];

export default function View({ words }: { words: string[] }) {
  const [name = "", version] = words;
  const path = version ? versionPath(name, version) : `models/${encodeURIComponent(name)}`;
  const { value: model, error } = useLoaded((signal) => get<Model>(path, signal), [path]);
  useEffect(() => {
    if (model) document.title = `${model.reference} · netlet`;
  }, [model]);
  if (!model) return error ? <Missing name={name} error={error} /> : <Loading />;
  return <Shown key={model.reference} model={model} />;
}

function Missing({ name, error }: { name: string; error: unknown }) {
  return (
    <>
      <h1>{name}</h1>
      <Failure error={error} />
      <p><a href={link("models")}>All models</a></p>
    </>
  );
}

function Shown({ model }: { model: Model }) {
  const [row, setRow] = useState(() => firstRow(model));
  const path = versionPath(model.model, model.version);
  const { value: weights, error } = useLoaded((signal) => get<Weights>(`${path}/weights`, signal), [path]);
  const targets = useMemo(() => [model.target].flat(), [model]);
  const seen = weights && isKnown(weights) && weights;
  return (
    <>
      <header class="between">
        <h1>{model.model} <span class="chip">version {model.version}</span></h1>
        <p class="muted">{model.columns.map(({ name }) => name).join(", ")} → {targets.join(", ")} · {when(model.created)}</p>
      </header>
      <Ask model={model} row={row} onRow={setRow} />
      <div class="columns">
        <Learning model={model} path={path} />
        {seen && (
          <Card title="Answers over two columns">
            <Surface weights={seen} columns={model.columns} row={row} labels={model.labels} targets={targets} />
          </Card>
        )}
        <Card title="Predicted and true"><Predicted name={model.model} version={model.version} /></Card>
      </div>
      {model.report.search && (
        <Card title="Search">
          <p class="muted">Trials are judged by some of {shown(model.report.search.rows)} rows; the best was trained anew on all, and measured by others.</p>
          <Leaderboard {...model.report.search} />
        </Card>
      )}
      <Failure error={error} />
      {seen && <Inside model={model} weights={seen} row={row} />}
      <TakeAway model={model} row={row} />
      <Versions name={model.model} version={model.version} />
    </>
  );
}

/** The tutorial's own question where that is what a model is about, else a row of its table. */
function firstRow(model: Model): Row {
  const isTutorial = model.columns.length === 2 && model.columns.every(({ name }) => Object.hasOwn(TUTORIAL_QUESTION, name));
  return isTutorial ? { ...TUTORIAL_QUESTION } : startRow(model.columns);
}

function Learning({ model, path }: { model: Model; path: string }) {
  const { value: history, error } = useLoaded((signal) => get<Schemas["HistoryAnswer"]>(`${path}/history?max_points=1000`, signal), [path]);
  const { report } = model;
  return (
    <Card title="How it learnt">
      <p>{report.choice}</p>
      {report.warnings?.map((warning) => <p class="note">{warning}</p>)}
      <Failure error={error} />
      {history && history.epochs.length > 1 && (
        <Curve
          lines={[
            { name: "loss", epochs: history.epochs, values: history.loss },
            ...(history.validation_loss ? [{ name: "validation loss", epochs: history.epochs, values: history.validation_loss, dashed: true }] : []),
          ]}
        />
      )}
      <Figures
        of={[
          ["Rows", shown(report.rows)],
          ["Epochs", shown(report.epochs)],
          ["Parameters", shown(report.parameters)],
          ...metricsOf(report, rowsOf(report)).map(([name, value]): [string, string] => [inWords(name), shown(value)]),
        ]}
      />
      <p class="muted">
        Measured {judgedBy(model)}.
      </p>
    </Card>
  );
}
