/** Tables that are kept, to be trained from. */

import { useState } from "preact/hooks";

import { ask, get, send, type Schemas } from "../api";
import { bytes, shown, when } from "../format";
import { go, link, useDoing, useLoaded } from "../hooks";
import { Card, Failure, Field, Figures, Loading, Table } from "../parts";
import { Columns } from "./columns";
import { brief, PAGE, Pages } from "./pages";
import { Sure } from "./sure";
import { typeOf } from "./table";

type Dataset = Schemas["DatasetDetail"];

export default function View({ words }: { words: string[] }) {
  return words[0] ? <One id={words[0]} /> : <All />;
}

function All() {
  const [after, setAfter] = useState("");
  const { value, error, reload } = useLoaded((signal) => get<Schemas["DatasetList"]>(`datasets?limit=${PAGE}&after=${after}`, signal), [after]);
  return (
    <>
      <h1>Datasets</h1>
      <Card title="Tables that are kept">
        <Failure error={error} />
        {!value && !error && <Loading />}
        {value?.datasets.length === 0 && <p>There are none yet. A table that is trained from here is kept.</p>}
        {value && value.datasets.length > 0 && (
          <Table caption="Datasets" head={["Columns", "Rows", "Size", "Kept since", ""]}>
            {value.datasets.map((each) => (
              <tr key={each.dataset}>
                <td><a href={link("datasets", each.dataset)}>{each.columns ? brief(each.columns) : each.dataset}</a>{each.damage && <p class="note">{each.damage}</p>}</td>
                <td>{shown(each.rows)}</td>
                <td>{each.bytes == null ? "–" : bytes(each.bytes)}</td>
                <td>{when(each.created ?? null)}</td>
                <td><Sure what="Delete this table" work={() => send("DELETE", `datasets/${each.dataset}`).then(reload)} /></td>
              </tr>
            ))}
          </Table>
        )}
        <Pages after={after} next={value?.next} onAfter={setAfter} />
      </Card>
      <Card title="Keep another">
        <Upload />
        <p class="muted">CSV, NDJSON, JSON or Parquet. The same file again is the same dataset.</p>
      </Card>
    </>
  );
}

function Upload() {
  const doing = useDoing();
  const sent = (event: SubmitEvent) => {
    event.preventDefault();
    const file = new FormData(event.currentTarget as HTMLFormElement).get("table") as File;
    void doing.run(async () => {
      const answer = await ask("datasets", { method: "POST", body: file, headers: { "content-type": typeOf(file) } });
      go("datasets", ((await answer.json()) as Dataset).dataset);
    });
  };
  return (
    <form class="row" onSubmit={sent}>
      <Field label="A table to keep">
        <input type="file" name="table" required accept=".csv,.tsv,.txt,.json,.ndjson,.parquet" />
      </Field>
      <button class="primary" disabled={doing.busy} aria-busy={doing.busy}>{doing.busy ? "Sending …" : "Upload"}</button>
      <Failure error={doing.error} />
    </form>
  );
}

function One({ id }: { id: string }) {
  const { value, error } = useLoaded((signal) => get<Dataset>(`datasets/${encodeURIComponent(id)}`, signal), [id]);
  if (!value) return error ? <><h1>Dataset</h1><Failure error={error} /></> : <Loading />;
  const setUp = JSON.stringify({ dataset: id, target: value.columns.at(-1)?.name });
  const tools = (
    <>
      <Sure what="Delete this table" work={() => send("DELETE", `datasets/${encodeURIComponent(id)}`).then(() => go("datasets"))} />
      <a class="button" href={link("set-up", setUp)}>Train from it</a>
    </>
  );
  return (
    <>
      <h1>A table of {shown(value.rows)} rows</h1>
      <Card title="Columns" tools={tools}>
        <Columns of={value} targets={[]} />
        <Figures of={[["Id", <code>{id}</code>], ["Kept as", bytes(value.bytes)], ["Since", when(value.created)]]} />
      </Card>
      <Card title="Models that were trained on it">
        {value.models.length === 0 && <p>None yet. <a href={link("set-up", setUp)}>Train one</a>.</p>}
        <ul>
          {value.models.map((reference) => <li><a href={link("model", ...reference.split("/"))}>{reference}</a></li>)}
        </ul>
      </Card>
    </>
  );
}
