/** The versions of a model, and the words that point to them. */

import { useState } from "preact/hooks";

import { get, send, versionPath, type Schemas } from "../api";
import { shown, when } from "../format";
import { go, link, useLoaded } from "../hooks";
import { Card, Failure, Loading, Table } from "../parts";
import { Aliases } from "./aliases";
import { inWords, rowsOf, telling } from "./metrics";
import { Sure } from "./sure";

export type Known = Schemas["ModelVersions"];

const SHOWN = 10;

export function Versions({ name, version }: { name: string; version: number }) {
  const path = `models/${encodeURIComponent(name)}`;
  const { value: known, error, reload } = useLoaded((signal) => get<Known>(path, signal), [path]);
  const [most, setMost] = useState(SHOWN);
  if (!known) return <Card title="Versions and aliases">{error ? <Failure error={error} /> : <Loading />}</Card>;
  const deleted = async (each: number) => {
    await send("DELETE", versionPath(name, each));
    if (known.versions.length === 1) go("models");
    else if (each === version) go("model", name);
    else reload();
  };
  return (
    <Card title="Versions and aliases">
      <p>
        Whoever asks <code>{name}</code> is answered by <strong>version {known.version}</strong>
        {"live" in known.aliases ? ": its alias live points there." : ", the newest: there is no alias live."}
      </p>
      <div class="columns">
        <div class="stack versions">
          <Table caption={`Versions of ${name}`} head={["Version", "Trained", "Aliases", "", ""]}>
            {known.versions.toReversed().slice(0, most).map((each) => (
              <tr key={each}>
                <td>{each === version ? <strong>{each} (this one)</strong> : <a href={link("model", name, each)}>{each}</a>}</td>
                <Trained path={versionPath(name, each)} />
                <td>{Object.keys(known.aliases).filter((alias) => known.aliases[alias] === each).join(", ") || "–"}</td>
                <td>{each !== version && <a href={link("compare", name, each, version)}>Compare with {version}</a>}</td>
                <td><Sure what={`Delete version ${each}`} work={() => deleted(each)} /></td>
              </tr>
            ))}
          </Table>
          {known.versions.length > most && <p><button type="button" onClick={() => setMost(most + SHOWN)}>Older versions</button></p>}
        </div>
        <Aliases path={path} version={version} known={known} reload={reload} />
      </div>
    </Card>
  );
}

/** When, and how good it became. */
function Trained({ path }: { path: string }) {
  const { value, error } = useLoaded((signal) => get<Schemas["OneVersion"]>(path, signal), [path]);
  if (!value) return <td>{error ? <Failure error={error} /> : "…"}</td>;
  const told = telling(value.report);
  return (
    <td>
      {when(value.created)}
      {told && <><br /><small>{inWords(told[0])} {shown(told[1])}{rowsOf(value.report) === "training" && ", on rows it learnt"}</small></>}
    </td>
  );
}
