/** All models, found by how their names begin. */

import { useState } from "preact/hooks";

import { get, send, type Schemas } from "../api";
import { link, useLoaded } from "../hooks";
import { Card, Failure, Field, Loading, Table } from "../parts";
import { brief, PAGE, Pages } from "./pages";
import { Sure } from "./sure";

type Models = Schemas["ModelList"];

export default function View() {
  const [prefix, setPrefix] = useState("");
  const [after, setAfter] = useState("");
  const query = new URLSearchParams({ prefix, after, limit: String(PAGE) });
  const { value, error, reload } = useLoaded((signal) => get<Models>(`models?${query}`, signal), [String(query)]);
  const narrowed = (text: string) => {
    setPrefix(text);
    setAfter("");
  };
  return (
    <>
      <h1>Models</h1>
      <Card title={prefix ? `Models that begin with ${prefix}` : "All models"} tools={
        <Field label="Name begins with">
          <input type="search" value={prefix} onInput={(event) => narrowed(event.currentTarget.value)} />
        </Field>
      }>
        <Failure error={error} />
        {!value && !error && <Loading />}
        {value?.models.length === 0 && <p>There are none. <a href={link()}>Train one</a>.</p>}
        {value && value.models.length > 0 && (
          <Table caption="Models" head={["Name", "Versions", "Task", "Columns → answers", ""]}>
            {value.models.map((model) => (
              <tr key={model.model}>
                <td><a href={link("model", model.model)}>{model.model}</a></td>
                <td>{model.versions.length}</td>
                <td>{model.task ?? "–"}</td>
                <td>{model.damage ? <p class="note">{model.damage}</p> : `${brief(model.columns)} → ${brief(model.target)}`}</td>
                <td><Sure what={`Delete ${model.model}`} work={() => send("DELETE", `models/${encodeURIComponent(model.model)}`).then(reload)} /></td>
              </tr>
            ))}
          </Table>
        )}
        <Pages after={after} next={value?.next} onAfter={setAfter} />
      </Card>
    </>
  );
}
