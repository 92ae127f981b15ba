/** Tables that are kept, to be trained from. */

import { ask, get, send, type Schemas } from "../api";
import { bytes, shown, when } from "../format";
import { go, link, useLoaded } from "../hooks";
import { Action, Card, Failure, Field, Figures, Loading, Table } from "../parts";
import { Columns } from "./columns";
import { Sure } from "./versions";

type Dataset = Schemas["DatasetDetail"];

export default function View({ words }: { words: string[] }) {
  return words[0] ? <One id={words[0]} /> : <All />;
}

function All() {
  const { value, error, reload } = useLoaded((signal) => get<Schemas["DatasetList"]>("datasets", signal), []);
  return (
    <>
      <h1>Datasets</h1>
      <Card title="Tables that are kept" tools={<Upload reload={reload} />}>
        <Failure error={error} />
        {!value && !error && <Loading />}
        {value?.datasets.length === 0 && <p>There are none yet. A table that is trained from here is kept.</p>}
        {value && value.datasets.length > 0 && (
          <Table caption="Datasets" head={["Columns", "Rows", "Kept since", ""]}>
            {value.datasets.map((each) => (
              <tr>
                <td><a href={link("datasets", each.dataset)}>{each.columns?.slice(0, 8).join(", ") ?? each.dataset}</a>{each.damage && <p class="note">{each.damage}</p>}</td>
                <td>{shown(each.rows)}</td>
                <td>{when(each.created ?? null)}</td>
                <td><Sure what="Delete this table" work={() => send("DELETE", `datasets/${each.dataset}`).then(reload)} /></td>
              </tr>
            ))}
          </Table>
        )}
      </Card>
    </>
  );
}

function Upload({ reload }: { reload: () => void }) {
  const chosen = async (input: HTMLInputElement) => {
    const file = input.files?.[0];
    if (!file) return;
    await ask("datasets", { method: "POST", body: file, headers: { "content-type": "text/csv" } });
    input.value = "";
    reload();
  };
  return (
    <div class="row">
      <Field label="Keep a CSV"><input type="file" accept=".csv,.tsv,text/csv" id="kept" /></Field>
      <Action work={() => chosen(document.getElementById("kept") as HTMLInputElement)}>Upload</Action>
    </div>
  );
}

function One({ id }: { id: string }) {
  const { value, error } = useLoaded((signal) => get<Dataset>(`datasets/${encodeURIComponent(id)}`, signal), [id]);
  if (!value) return error ? <><h1>Dataset</h1><Failure error={error} /></> : <Loading />;
  const setUp = JSON.stringify({ dataset: id, target: value.columns.at(-1)?.name });
  return (
    <>
      <h1>A table of {shown(value.rows)} rows</h1>
      <Card title="Columns" tools={<a class="button" href={link("set-up", setUp)}>Train from it</a>}>
        <Columns of={value} targets={[]} />
        <Figures of={[["Id", <code>{id}</code>], ["Kept as", bytes(value.bytes)], ["Since", when(value.created)]]} />
      </Card>
      <Card title="Models that were trained on it">
        {value.models.length === 0 && <p>None.</p>}
        <ul>
          {value.models.map((reference) => <li><a href={link("model", ...reference.split("/"))}>{reference}</a></li>)}
        </ul>
      </Card>
      <p><Sure what="Delete this table" work={() => send("DELETE", `datasets/${encodeURIComponent(id)}`).then(() => go("datasets"))} /></p>
    </>
  );
}
