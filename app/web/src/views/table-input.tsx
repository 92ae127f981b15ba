/** Where a table comes in: typed, pasted, dropped, chosen as a file, or one that the service keeps. */

import { useState } from "preact/hooks";

import { get, type Schemas } from "../api";
import { bytes, list, shown, when } from "../format";
import { useDoing, useLoaded } from "../hooks";
import { Card, Failure, Field } from "../parts";
import { TUTORIAL } from "../setup";
import { edited, sourceOf, tutorial, type Source } from "./table";

type Kept = Schemas["DatasetSummary"];

interface Props {
  source: Source;
  onSource: (source: Source) => void;
}

export function TableInput({ source, onSource }: Props) {
  const [isOver, setOver] = useState(false);
  const reading = useDoing();
  const read = (file: File | undefined) => file && reading.run(async () => onSource(await sourceOf(file)));
  const over = (event: DragEvent) => {
    event.preventDefault(); // or the browser opens the file instead
    setOver(event.type === "dragover");
  };
  const drop = (event: DragEvent) => {
    over(event);
    const text = event.dataTransfer?.getData("text/plain");
    if (event.dataTransfer?.files.length) read(event.dataTransfer.files[0]);
    else if (text) onSource(edited(source, text));
  };
  return (
    <div class={isOver ? "landing over" : "landing"} onDragOver={over} onDragLeave={over} onDrop={drop}>
      <Card title="Your table">
        {source.text === undefined ? <Chosen source={source} /> : <Text source={source} text={source.text} onSource={onSource} />}
        <div class="row">
          <label class="button file">
            Choose a file
            <input type="file" class="unseen" accept=".csv,.tsv,.txt,.json,.ndjson,.parquet"
              onClick={(event) => (event.currentTarget.value = "") /* so that the same file may be chosen again */}
              onChange={(event) => read(event.currentTarget.files?.[0])} />
          </label>
          {source.text !== TUTORIAL && <button type="button" onClick={() => onSource(tutorial)}>Back to the example</button>}
          <KeptTables source={source} onSource={onSource} />
        </div>
        <Failure error={reading.error} />
      </Card>
    </div>
  );
}

function Text({ source, text, onSource }: Props & { text: string }) {
  // Over the untouched example a pasted table takes its place, wherever the caret is.
  const paste = (event: ClipboardEvent) => {
    const pasted = event.clipboardData?.getData("text/plain") ?? "";
    if (text !== TUTORIAL || !pasted.trim().includes("\n")) return;
    event.preventDefault();
    onSource(edited(source, pasted));
  };
  return (
    <Field label="A line of names, then a line for each row" hint="Type here, paste from a spreadsheet, or drop a file anywhere on this card.">
      <textarea rows={6} spellcheck={false} wrap="off" value={text} onPaste={paste} onInput={(event) => onSource(edited(source, event.currentTarget.value))} />
    </Field>
  );
}

const Chosen = ({ source: { file, dataset } }: { source: Source }) => (
  <p class="chosen">
    {file ? <><strong>{file.name}</strong>, {bytes(file.size)}</> : <>A table that is kept here: <code>{dataset}</code></>}
  </p>
);

function KeptTables({ source, onSource }: Props) {
  const { value } = useLoaded((signal) => get<Schemas["DatasetList"]>("datasets?limit=100", signal), []);
  const kept = value?.datasets.filter(({ damage }) => !damage) ?? [];
  if (!kept.length) return null;
  return (
    <label class="kept">
      <span class="unseen">A table that is kept</span>
      <select value={source.dataset ?? ""} onChange={({ currentTarget: { value: dataset } }) => dataset && onSource({ suggests: "", kinds: {}, dataset })}>
        <option value="">Or one that is kept …</option>
        {kept.sort(newestFirst).map((one) => <option value={one.dataset}>{titleOf(one)}</option>)}
      </select>
    </label>
  );
}

const newestFirst = (one: Kept, other: Kept): number => (other.created ?? "").localeCompare(one.created ?? "");

function titleOf({ columns, rows, created }: Kept): string {
  const names = columns ?? [];
  return `${list(names.slice(0, 3))}${names.length > 3 ? " …" : ""} · ${shown(rows)} rows · ${when(created ?? null)}`;
}
