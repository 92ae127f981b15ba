/** Where learning begins: a table, what is to be learnt of it, and one button. */

import type { TargetedEvent } from "preact";
import { useRef, useState } from "preact/hooks";

import { post, Problem, type Schemas } from "../api";
import { list } from "../format";
import { go, useDoing, useLoaded } from "../hooks";
import { Card, Failure, Field } from "../parts";
import { setUpFrom, TUTORIAL, type SetUp } from "../setup";
import { ColumnsCard } from "./columns";
import { isEmpty, Settings, settingsOf } from "./settings";
import "./start.css";
import { forget, stated, tutorial, understood, type Source, type Summary, type Understood } from "./table";
import { TableInput } from "./table-input";

const TYPING_MS = 700;
const GONE = 404;
const gone = new Problem(GONE, "This table is kept here no longer", "The settings are filled in. Choose or drop the same table again, and they train the same network.");

/** The set-up of an address; throws where it is none. */
function setUpOf(word: string): SetUp {
  const setUp: unknown = setUpFrom(word);
  if (!setUp || typeof setUp !== "object" || Array.isArray(setUp)) throw new SyntaxError("no object");
  return setUp;
}

export default function View({ words: [word] }: { words: string[] }) {
  let setUp: SetUp = {};
  let wrong: unknown;
  try {
    if (word) setUp = setUpOf(word);
  } catch {
    wrong = new Problem(0, "This link holds no set-up", "It may have been cut short: copy the whole of it, or begin here with a table.");
  }
  return (
    <>
      <div class="stack">
        <h1>Learn a table</h1>
        <p class="muted">
          {word ? "Table and settings are filled in from the link. The same rows, settings and seed give the same numbers."
            : "Three students, what they did and what they scored: press Train and watch a neural network learn it, or bring a table of your own."}
        </p>
      </div>
      <Failure error={wrong} />
      <SettingUp setUp={setUp} />
    </>
  );
}

/** The target: what was chosen where the table has it, else the last column. */
function targetIn(columns: { name: string }[], chosen: SetUp["target"]): string | string[] {
  const isThere = (name: string) => columns.some((column) => column.name === name);
  return chosen?.length && [chosen].flat().every(isThere) ? chosen : (columns.at(-1)?.name ?? "");
}

/** What the service understands of a source, which is sent once typing pauses; `last` stays until there is something newer. */
function useUnderstood(source: Source) {
  const last = useRef<Understood | undefined>(undefined);
  const { value, error } = useLoaded(async (signal) => {
    if (source.isTyped) await new Promise((resolve) => setTimeout(resolve, TYPING_MS));
    return signal.aborted ? undefined : { of: source, detail: await understood(source) };
  }, [source]);
  if (value) last.current = value.detail;
  return { last: last.current, error, isStale: value?.of !== source };
}

function SettingUp({ setUp }: { setUp: SetUp }) {
  const [source, setSource] = useState<Source>(() => {
    const { dataset, kinds = {} } = setUp;
    return dataset ? { dataset, kinds, suggests: "" } : { ...tutorial, kinds };
  });
  const [typedName, setName] = useState(setUp.name);
  const [chosen, setTarget] = useState(setUp.target);
  const [ticked, setPreset] = useState(setUp.dataset ? setUp.preset === "tutorial" : undefined);
  const { last, error, isStale } = useUnderstood(source);
  const training = useDoing();
  const [tried, setTried] = useState<Source>();

  const table = last && stated(last, source.kinds);
  const columns = table?.columns ?? [];
  const target = targetIn(columns, chosen);
  const name = typedName ?? source.suggests;
  const preset = ticked ?? source.text === TUTORIAL;
  const isGone = error instanceof Problem && error.status === GONE;
  const take = (next: Source) => {
    if (!next.isTyped && !isGone) {
      setPreset(undefined);
      setName(undefined);
    }
    setSource(isGone ? { ...next, kinds: source.kinds } : next);
  };
  const submit = (event: TargetedEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const { kinds } = source;
    const begin = { ...settingsOf(form, setUp), ...(name && { name }), ...(preset && { preset: "tutorial" }), ...(!isEmpty(kinds) && { kinds }) };
    setTried(source);
    void training.run(() => train(source, begin, chosen, form.has("paused")));
  };

  return (
    <div class="start">
      <TableInput source={source} onSource={take} />
      <Card title="What to learn">
        <form class="stack" onSubmit={submit}>
          <Target columns={columns} value={target} onChange={setTarget} />
          <Field label="Name of the model" hint="One is made up where this is empty.">
            <input value={name} pattern="[a-z0-9][a-z0-9._\-]{0,62}" title="Small letters, digits, dot, dash and underscore" autocapitalize="none" spellcheck={false}
              onInput={(event) => setName(event.currentTarget.value)} />
          </Field>
          <button class="primary train" disabled={training.busy} aria-busy={training.busy}>Train</button>
          <Failure error={tried === source && training.error} />
          <Settings setUp={setUp} preset={preset} onPreset={setPreset} columns={columns.map((column) => column.name)} kinds={source.kinds}
            onKinds={(kinds) => setSource({ ...source, kinds, isTyped: false })} />
        </form>
      </Card>
      <ColumnsCard table={table} isStale={isStale} error={isGone ? gone : error} targets={[target].flat()} />
    </div>
  );
}

/** Begin a training and go where it can be watched; a table that was deleted meanwhile is sent once more. */
async function train(source: Source, settings: SetUp, chosen: SetUp["target"], paused: boolean, more = true): Promise<void> {
  const { dataset, columns } = await understood(source);
  const body = { ...settings, dataset, target: targetIn(columns, chosen) };
  try {
    const answer = await post<Schemas["JobDetail"] | Schemas["OneVersion"]>(`train?wait=0${paused ? "&paused=true" : ""}`, body);
    if ("job" in answer) go("job", answer.job);
    else go("model", answer.model, answer.version);
  } catch (error) {
    forget(source);
    if (!more || source.dataset || !(error instanceof Problem) || error.status !== GONE) throw error;
    await train(source, settings, chosen, paused, false);
  }
}

interface TargetProps {
  columns: Summary[];
  value: string | string[];
  onChange: (target: SetUp["target"]) => void;
}

function Target({ columns, value, onChange }: TargetProps) {
  const kind = columns.find((column) => column.name === value)?.kind;
  const learnt = kind === "category" || kind === "boolean" ? "Learnt as classes, each with its probability." : kind && "Learnt as a number.";
  return (
    <Field label="Target" hint={learnt}>
      <select value={String(value)} onChange={(event) => onChange(event.currentTarget.value)}>
        {Array.isArray(value) && <option value={String(value)}>{list(value)}</option>}
        {columns.map((column) => <option value={column.name}>{column.name}</option>)}
      </select>
    </Field>
  );
}
