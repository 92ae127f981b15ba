/** Ask: a control for each column, and the answer with all that says how far to trust it, while they move. */

import "./ask.css";

import { useEffect, useState } from "preact/hooks";

import { post, versionPath, type Schemas } from "../api";
import { list, share, shown } from "../format";
import { type Cell, type Column, type Row } from "../network";
import { Card, Failure, Field } from "../parts";

type Model = Schemas["OneVersion"];
type Answer = Schemas["Predictions"];
type Named = number | Record<string, number>;

const LEVEL = 0.9;
const WIDER = 0.5;
const STEPS = 200;
const OTHER = "\u0000other";

export function Ask({ model, row, onRow }: { model: Model; row: Row; onRow: (row: Row) => void }) {
  const [answer, error] = useAnswer(model, row);
  return (
    <Card title="Ask" class="ask">
      <div class="columns">
        <div class="stack">
          {model.columns.map((column) => (
            <Control column={column} value={row[column.name] ?? null} onValue={(value) => onRow({ ...row, [column.name]: value })} />
          ))}
        </div>
        <div class="stack">
          <Failure error={error} />
          {answer && <Answered model={model} answer={answer} />}
        </div>
      </div>
    </Card>
  );
}

/** Ask for the answer to a row as it changes: the newest question ends those before it. */
function useAnswer(model: Model, row: Row): [Answer | undefined, unknown] {
  const [state, setState] = useState<[Answer | undefined, unknown]>([undefined, undefined]);
  useEffect(() => {
    const ending = new AbortController();
    const question = { rows: [row], interval: LEVEL, applicability: true, explain: true, proba: model.task !== "regression" };
    const frame = requestAnimationFrame(() =>
      post<Answer>(`${versionPath(model.model, model.version)}/predict`, question, ending.signal).then(
        (answer) => setState([answer, undefined]),
        (error: unknown) => ending.signal.aborted || setState([undefined, error]),
      ),
    );
    return () => {
      cancelAnimationFrame(frame);
      ending.abort();
    };
  }, [model, row]);
  return state;
}

function Control({ column, value, onValue }: { column: Column; value: Cell; onValue: (value: Cell) => void }) {
  const unknown = column.missing && (
    <label class="check">
      <input type="checkbox" checked={value === null} onChange={(event) => onValue(event.currentTarget.checked ? null : exampleOf(column))} />
      {column.name} is missing
    </label>
  );
  return (
    <div class="control">
      {value !== null && <Known column={column} value={value} onValue={onValue} />}
      {unknown}
    </div>
  );
}

const exampleOf = (column: Column): Cell => (column.example ?? column.lowest ?? column.levels?.[0] ?? 0) as Cell;

function Known({ column, value, onValue }: { column: Column; value: Cell; onValue: (value: Cell) => void }) {
  const range = column.lowest !== null && <>learnt from {[column.lowest, column.highest].map((end) => shown(end).replace("T", " ")).join(" to ")}</>;
  switch (column.kind) {
    case "category":
      return <Level column={column} value={String(value)} onValue={onValue} />;
    case "boolean":
      return (
        <label class="check">
          <input type="checkbox" checked={value === true} onChange={(event) => onValue(event.currentTarget.checked)} /> {column.name}
        </label>
      );
    case "date":
      return (
        <Field label={column.name} hint={range}>
          <input type={String(value).includes("T") ? "datetime-local" : "date"} value={String(value)} onChange={(event) => event.currentTarget.value && onValue(event.currentTarget.value)} />
        </Field>
      );
    default:
      return <Slider column={column} value={Number(value)} onValue={onValue} hint={range} />;
  }
}

/** A slider over the trained range and half of it more on either side, and a field for any number. */
function Slider({ column, value, onValue, hint }: { column: Column; value: number; onValue: (value: number) => void; hint: preact.ComponentChild }) {
  const [lowest, highest] = [Number(column.lowest), Number(column.highest)];
  const wider = (highest - lowest || Math.abs(highest) || 1) * WIDER;
  const whole = column.kind === "integer";
  const step = whole ? 1 : 10 ** Math.floor(Math.log10((highest - lowest || 1) / STEPS));
  const onStep = (end: number) => Number((Math.round(end / step) * step).toPrecision(12)); // so that all values of the slider are round
  const [min, max] = [onStep(lowest - wider), onStep(highest + wider)];
  const heard = (event: { currentTarget: HTMLInputElement }) => Number.isNaN(event.currentTarget.valueAsNumber) || onValue(event.currentTarget.valueAsNumber);
  return (
    <>
      <Field label={column.name} hint={hint}>
        <input type="number" step="any" value={value} onInput={heard} />
      </Field>
      <input type="range" aria-label={column.name} min={Math.min(min, value)} max={Math.max(max, value)} step={step} value={value} onInput={heard} />
    </>
  );
}

function Level({ column, value, onValue }: { column: Column; value: string; onValue: (value: Cell) => void }) {
  const levels = (column.levels ?? []).map(String);
  const isOther = !levels.includes(value);
  return (
    <>
      <Field label={column.name}>
        <select value={isOther ? OTHER : value} onChange={(event) => onValue(event.currentTarget.value === OTHER ? "?" : event.currentTarget.value)}>
          {levels.map((level) => <option value={level}>{level}</option>)}
          <option value={OTHER}>another …</option>
        </select>
      </Field>
      {isOther && (
        <Field label={`Another ${column.name}`}>
          <input value={value} onInput={(event) => event.currentTarget.value.trim() && onValue(event.currentTarget.value)} />
        </Field>
      )}
    </>
  );
}

function Answered({ model, answer }: { model: Model; answer: Answer }) {
  const targets = [model.target].flat();
  const predictions = [answer.predictions[0]].flat();
  const outside = answer.applicability?.[0]?.outside ?? [];
  return (
    <>
      <div aria-live="polite" class="row">
        {targets.map((target, index) => (
          <p>
            <span class="muted">{target}</span>
            <br />
            <span class="answer">{shown(predictions[index])}</span>
          </p>
        ))}
      </div>
      <Certainty answer={answer} targets={targets} />
      {outside.map((each) => (
        <p class="note">
          <strong>{each.column}</strong> lies outside of what was learnt
          {typeof each.lowest === "number" && <> ({shown(each.lowest)} to {shown(each.highest)})</>}: the answer is a guess beyond the table.
        </p>
      ))}
      {answer.probabilities?.[0] && <Bars title="How likely each is" of={Object.entries(answer.probabilities[0])} show={share} />}
      {answer.explanations?.[0] && (model.labels ? [String(predictions[0])] : targets).map((name) => <Contributions of={answer.explanations![0]!} name={name} />)}
    </>
  );
}

function Certainty({ answer, targets }: { answer: Answer; targets: string[] }) {
  if (answer.interval_reason) return <p class="muted">No interval: {answer.interval_reason}</p>;
  const interval = answer.intervals?.[0];
  const set = answer.label_sets?.[0];
  if (set) {
    const sets = (Array.isArray(set[0]) ? set : [set]) as unknown[][];
    return <>{sets.map((each, index) => <p>Nine times in ten {targets.length > 1 ? targets[index] : "it"} is among: <strong>{list(each.map(shown))}</strong></p>)}</>;
  }
  if (!interval) return null;
  const each = (Array.isArray(interval[0]) ? interval : [interval]) as number[][];
  return (
    <>
      {each.map(([lower, upper], index) => (
        <p>
          {targets.length > 1 && <>{targets[index]}: </>}between <strong>{shown(lower)}</strong> and <strong>{shown(upper)}</strong> nine times in ten
        </p>
      ))}
    </>
  );
}

/** What each column adds to the answer; for classes, to the probability of the one that is answered. */
function Contributions({ of, name }: { of: Schemas["Explanation"]; name: string }) {
  const one = (value: Named): number => (typeof value === "number" ? value : value[name] ?? 0);
  const baseline = one(of.baseline);
  const added = Object.entries(of.contributions).map(([column, value]): [string, number] => [column, one(value)]);
  const sum = added.reduce((total, [, value]) => total + value, baseline);
  return (
    <Bars
      title={`From ${shown(baseline)}, the answer in the middle of the table, to ${shown(sum)}${typeof of.baseline === "number" ? "" : ` for ${name}`}`}
      of={added}
      show={(value) => (value > 0 ? "+" : "") + shown(value)}
    />
  );
}

function Bars({ title, of, show }: { title: string; of: [string, number][]; show: (value: number) => string }) {
  const largest = Math.max(...of.map(([, value]) => Math.abs(value)), 1e-300);
  return (
    <figure class="bars">
      <figcaption>{title}</figcaption>
      <dl>
        {of.map(([name, value]) => (
          <div>
            <dt>{name}</dt>
            <dd>{show(value)}</dd>
            <span class={value < 0 ? "bar-of less" : "bar-of"} aria-hidden="true"><span style={{ width: `${(100 * Math.abs(value)) / largest}%` }} /></span>
          </div>
        ))}
      </dl>
    </figure>
  );
}
