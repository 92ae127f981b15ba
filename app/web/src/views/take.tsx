/** Take away: what was just done as commands and programs, the model as files, and the set-up as a link. */

import "./manage.css";

import { useId, useState } from "preact/hooks";

import { address, ask, get, post, Problem, versionPath, type Schemas } from "../api";
import { list, shown } from "../format";
import { useLoaded } from "../hooks";
import type { Row } from "../network";
import { Action, Card, Failure, Snippet } from "../parts";
import { setUpLink, setUpOf } from "../setup";
import { curl, javascript, python } from "./snippets";

type Model = Schemas["OneVersion"];

const LANGUAGES = { curl, Python: python, JavaScript: javascript };
const NAMES = Object.keys(LANGUAGES) as (keyof typeof LANGUAGES)[];
const STEPS: Record<string, (at: number) => number> = { ArrowRight: (at) => at + 1, ArrowLeft: (at) => at - 1, Home: () => 0, End: () => -1 };

const FILES: [string, string, string][] = [
  ["Python program", "export?format=python", ".py"],
  ["JavaScript module", "export?format=javascript", ".mjs"],
  ["ONNX", "export?format=onnx", ".onnx"],
  ["JSON", "export?format=json", ".json"],
  ["Snapshot", "snapshot", ".safetensors"],
  ["Model card", "card", ".md"],
];
const PICTURES = ["learning-curve", "diagram", "predicted", "residuals", "calibration", "response", "surface"].map(
  (name): [string, string, string] => [name.replace("-", " "), `${name}.svg`, `_${name}.svg`],
);
const REVOKE_MS = 60_000;

export function TakeAway({ model, row }: { model: Model; row: Row }) {
  const path = versionPath(model.model, model.version);
  return (
    <Card title="Take it away" class="take">
      <div class="columns">
        <Commands model={model} row={row} path={path} />
        <div class="stack">
          <Files title="The model as a file" of={FILES} model={model} path={path} />
          <Files title="Pictures as SVG" of={PICTURES.filter(([name]) => !model.labels || name !== "residuals")} model={model} path={path} />
          <Again key={path} model={model} path={path} />
        </div>
      </div>
    </Card>
  );
}

/** The question, and the training, in the language that is chosen. */
function Commands({ model, row, path }: { model: Model; row: Row; path: string }) {
  const [chosen, choose] = useState(0);
  const id = useId();
  const setUp = setUpOf(model);
  const write = LANGUAGES[NAMES[chosen] ?? "curl"];
  const pressed = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const to = (step(chosen) + NAMES.length) % NAMES.length;
    choose(to);
    document.getElementById(id + to)?.focus();
  };
  return (
    <div class="stack">
      <div class="row" role="tablist" aria-label="Language of the commands" onKeyDown={pressed}>
        {NAMES.map((name, index) => (
          <button type="button" class="small" role="tab" id={id + index} aria-selected={index === chosen} aria-controls={`${id}panel`} tabIndex={index === chosen ? 0 : -1} onClick={() => choose(index)}>
            {name}
          </button>
        ))}
      </div>
      <div class="stack" role="tabpanel" id={`${id}panel`} aria-labelledby={id + chosen}>
        <Snippet title="Ask this" text={write(address(`${path}/predict`), { rows: [row] })} />
        {setUp && <Snippet title="Train this again" text={write(address("train"), setUp)} />}
      </div>
    </div>
  );
}

function Files({ title, of, model, path }: { title: string; of: [string, string, string][]; model: Model; path: string }) {
  return (
    <>
      <h3>{title}</h3>
      <div class="row">
        {of.map(([name, route, ending]) => <Action class="small" work={() => saved(`${path}/${route}`, `${model.model}_${model.version}${ending}`)}>{name}</Action>)}
      </div>
    </>
  );
}

/** Fetch a file and hand it to the reader; what is refused is said where the button is. */
async function saved(route: string, name: string): Promise<void> {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await (await ask(route)).blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_MS); // a browser may ask where to save it first
}

/** The very same training again: as a link, and by the service, which compares. */
function Again({ model, path }: { model: Model; path: string }) {
  const { value: isKept, error } = useLoaded((signal) => isThere(model.dataset, signal), [model.dataset]);
  const [told, tell] = useState("");
  const setUp = setUpOf(model);
  const verify = async () => {
    tell("");
    const { verified, differs, largest_difference } = await post<Schemas["VerificationAnswer"]>(`${path}/verify`);
    const weights = largest_difference ? `; a weight by ${shown(largest_difference)} at most` : "";
    tell(`Trained again, ${verified ? "all that it answers by is the same to the last bit." : `it differs in ${list(differs)}${weights}.`}`);
  };
  return (
    <>
      <h3>The same again</h3>
      <Failure error={error} />
      {isKept === false && <p class="note">{model.dataset ? "Its table was deleted. Upload the same file under Datasets, and it can be trained again." : "Its table was not kept, so that it cannot be trained again from here. Train from a dataset, as this page does, and it can."}</p>}
      {isKept && (
        <>
          {setUp ? (
            <Snippet title="Link to this set-up: it reopens the same table, settings and seed, and gives the same numbers" text={setUpLink(setUp)} />
          ) : (
            <p class="note">There is no link to this set-up: it went on learning from {model.continued_from}, which a link cannot repeat.</p>
          )}
          <div class="row">
            <Action class="small" work={verify}>Train again and compare</Action>
            <p role="status">{told}</p>
          </div>
        </>
      )}
    </>
  );
}

async function isThere(dataset: string | null, signal: AbortSignal): Promise<boolean> {
  if (!dataset) return false;
  try {
    await get(`datasets/${dataset}`, signal);
    return true;
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return false;
    throw error;
  }
}
