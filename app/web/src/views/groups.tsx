/** The models of a training that makes one of each group. */

import { useState } from "preact/hooks";

import { get, type Schemas } from "../api";
import { shown } from "../format";
import { link, useLoaded } from "../hooks";
import { Card, Failure, Loading, Table } from "../parts";
import type { Job } from "../training";
import { inWords } from "./metrics";
import { PAGE, Pages } from "./pages";

export function Groups({ job }: { job: Job }) {
  const [after, setAfter] = useState("");
  const query = new URLSearchParams({ limit: String(PAGE), ...(after && { after }) });
  const path = `jobs/${encodeURIComponent(job.job)}/models?${query}`;
  const { value, error } = useLoaded((signal) => get<Schemas["GroupsAnswer"]>(path, signal), [path]);
  return (
    <Card title="A model of each group">
      <Failure error={error} />
      {!value && !error && <Loading />}
      {value && (
        <Table caption="Groups" head={["Model", "Version", "Rows", "Rows held out", "Error"]}>
          {value.models.map(({ model, version, rows, validation, error: fault }) => (
            <tr key={model}>
              <td>{version === null ? model : <a href={link("model", model, version)}>{model}</a>}</td>
              <td>{shown(version)}</td>
              <td>{shown(rows)}</td>
              <td>{Object.entries(validation ?? {}).map(([metric, off]) => `${inWords(metric)} ${shown(off)}`)}</td>
              <td>{fault}</td>
            </tr>
          ))}
        </Table>
      )}
      <Pages after={after} next={value?.next?.toString()} onAfter={setAfter} />
    </Card>
  );
}
