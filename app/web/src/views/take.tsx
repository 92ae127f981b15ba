/** Take away: what was just done as commands and programs, the model as files, and the set-up as a link. */

import { useState } from "preact/hooks";

import { address, ask, post, versionPath, type Schemas } from "../api";
import { shown } from "../format";
import { type Row } from "../network";
import { Action, Card, Snippet } from "../parts";
import { setUpLink, setUpOf } from "../setup";

type Model = Schemas["OneVersion"];

const LANGUAGES = { curl, Python: python, JavaScript: javascript };
type Language = keyof typeof LANGUAGES;

const FILES: [string, string, string][] = [
  ["Python program", "export?format=python", "py"],
  ["JavaScript module", "export?format=javascript", "mjs"],
  ["ONNX", "export?format=onnx", "onnx"],
  ["JSON", "export?format=json", "json"],
  ["Snapshot", "snapshot", "safetensors"],
  ["Model card", "card", "md"],
];
const PICTURES = ["learning-curve", "diagram", "predicted", "residuals", "calibration", "response", "surface"];

export function TakeAway({ model, row }: { model: Model; row: Row }) {
  const [language, setLanguage] = useState<Language>("curl");
  const setUp = setUpOf(model);
  const path = versionPath(model.model, model.version);
  const write = LANGUAGES[language];
  return (
    <Card title="Take it away">
      <div class="columns">
        <div class="stack">
          <div class="row" role="group" aria-label="Language of the commands">
            {(Object.keys(LANGUAGES) as Language[]).map((name) => (
              <button type="button" class="small" aria-pressed={name === language} onClick={() => setLanguage(name)}>{name}</button>
            ))}
          </div>
          <Snippet title="Ask this" text={write(address(`${path}/predict`), { rows: [row] })} />
          {setUp && <Snippet title="Train this again" text={write(address("train"), setUp)} />}
        </div>
        <div class="stack">
          <h3>The model as a file</h3>
          <div class="row">
            {FILES.map(([name, route, ending]) => (
              <Action class="small" work={() => saved(`${path}/${route}`, `${model.model}_${model.version}.${ending}`)}>{name}</Action>
            ))}
          </div>
          <h3>Pictures as SVG</h3>
          <div class="row">
            {PICTURES.map((name) => (
              <Action class="small" work={() => saved(`${path}/${name}.svg`, `${model.model}_${model.version}_${name}.svg`)}>{name.replace("-", " ")}</Action>
            ))}
          </div>
          <Again model={model} path={path} />
          {setUp ? (
            <Snippet title="Link to this set-up: the same table, settings and seed give the same numbers" text={setUpLink(setUp)} />
          ) : (
            <p class="muted">There is no link to this set-up: its table was not kept. Train from a dataset to have one.</p>
          )}
        </div>
      </div>
    </Card>
  );
}

/** Have the version trained again, and compare. */
function Again({ model, path }: { model: Model; path: string }) {
  const [told, tell] = useState("");
  if (!model.dataset) return null;
  const verify = async () => {
    const found = await post<Schemas["VerificationAnswer"]>(`${path}/verify`);
    tell(found.verified ? "Trained again, it has the same weights to the last bit." : `Trained again, a weight differs by ${shown(found.largest_difference)} at most.`);
  };
  return (
    <div class="row">
      <Action class="small" work={verify}>Train again and compare</Action>
      <p role="status">{told}</p>
    </div>
  );
}

/** Fetch a file and hand it to the reader; what is refused is said where the button is. */
async function saved(route: string, name: string): Promise<void> {
  const response = await ask(route);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

function curl(url: string, body: unknown): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  return `curl ${quoted(url)} -d ${quoted(JSON.stringify(body))}`;
}

function python(url: string, body: unknown): string {
  return `import json
from urllib.request import Request, urlopen

body = json.loads(${JSON.stringify(JSON.stringify(body))})
request = Request(${JSON.stringify(url)}, json.dumps(body).encode())
print(json.load(urlopen(request)))`;
}

function javascript(url: string, body: unknown): string {
  return `const response = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  body: JSON.stringify(${JSON.stringify(body)}),
});
console.log(await response.json());`;
}
