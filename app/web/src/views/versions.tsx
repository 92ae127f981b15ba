/** The versions of a model, and the words that point to them: moved, looked back on, undone. */

import { useState } from "preact/hooks";

import { get, post, send, versionPath, type Schemas } from "../api";
import { shown, when } from "../format";
import { go, link, useDoing, useLoaded, type Loaded } from "../hooks";
import { Action, Card, Failure, Field, Loading, Table } from "../parts";

type Known = Schemas["ModelVersions"];
type Alias = Schemas["AliasAnswer"];

export function Versions({ name, version }: { name: string; version: number }) {
  const path = `models/${encodeURIComponent(name)}`;
  const model = useLoaded((signal) => get<Known>(path, signal), [path]);
  const aliases = useLoaded((signal) => get<Schemas["AliasList"]>(`${path}/aliases`, signal), [path]);
  if (!model.value || !aliases.value) return <Card title="Versions and aliases">{model.error || aliases.error ? <Failure error={model.error ?? aliases.error} /> : <Loading />}</Card>;
  const reload = () => {
    model.reload();
    aliases.reload();
  };
  return (
    <Card title="Versions and aliases">
      <p>
        <code>{name}</code> alone means version {model.value.version}
        {"live" in model.value.aliases ? ", as its alias live says." : ", its newest: there is no alias live."}
      </p>
      <div class="columns">
        <VersionList name={name} version={version} known={model.value} reload={reload} />
        <div class="stack">
          {aliases.value.aliases.map((alias) => <OneAlias key={`${alias.alias} ${alias.revision}`} path={path} alias={alias} known={model.value!} reload={reload} />)}
          <NewAlias path={path} version={version} reload={reload} />
        </div>
      </div>
    </Card>
  );
}

function VersionList({ name, version, known, reload }: { name: string; version: number; known: Known; reload: Loaded<unknown>["reload"] }) {
  const deleted = async (each: number) => {
    await send("DELETE", versionPath(name, each));
    if (each === version) go("models");
    else reload();
  };
  const pointing = (each: number) => Object.entries(known.aliases).filter(([, target]) => target === each).map(([alias]) => alias);
  return (
    <Table caption={`Versions of ${name}`} head={["Version", "Aliases", "", ""]}>
      {known.versions.toReversed().map((each) => (
        <tr>
          <td>{each === version ? <strong>{each} (this one)</strong> : <a href={link("model", name, each)}>{each}</a>}</td>
          <td>{pointing(each).join(", ") || "–"}</td>
          <td>{each !== version && <a href={link("compare", name, each, version)}>Compare with {version}</a>}</td>
          <td><Sure what={`Delete version ${each}`} work={() => deleted(each)} /></td>
        </tr>
      ))}
    </Table>
  );
}

/** A button that asks once more before it does what cannot be undone. */
export function Sure({ what, work }: { what: string; work: () => Promise<unknown> }) {
  const [isAsked, ask] = useState(false);
  if (!isAsked) return <button type="button" class="small" onClick={() => ask(true)} aria-label={what}>Delete</button>;
  return (
    <span class="row">
      <Action class="small danger" work={work}>{what}, for good</Action>
      <button type="button" class="small" onClick={() => ask(false)}>Keep</button>
    </span>
  );
}

function OneAlias({ path, alias, known, reload }: { path: string; alias: Alias; known: Known; reload: () => void }) {
  const at = `${path}/aliases/${encodeURIComponent(alias.alias)}`;
  const [to, setTo] = useState(alias.version);
  const [isOpen, open] = useState(false);
  const moved = async () => {
    await send("PUT", at, { version: to }, undefined, { "if-match": `"${alias.revision}"` });
    reload();
  };
  const undone = async () => {
    await post(`${at}/rollback`);
    reload();
  };
  return (
    <section class="stack" aria-label={`Alias ${alias.alias}`}>
      <p><strong>{alias.alias}</strong> points to version {alias.version}</p>
      <div class="row">
        <Field label={`Version for ${alias.alias}`}>
          <select value={to} onChange={(event) => setTo(Number(event.currentTarget.value))}>
            {known.versions.map((each) => <option value={each}>{each}</option>)}
          </select>
        </Field>
        <Action work={moved} disabled={to === alias.version}>Move</Action>
        <Action work={undone}>Undo the last move</Action>
      </div>
      <details onToggle={(event) => open(event.currentTarget.open)}>
        <summary>History of {alias.alias}</summary>
        {isOpen && <History at={at} />}
      </details>
    </section>
  );
}

function History({ at }: { at: string }) {
  const { value, error } = useLoaded((signal) => get<Schemas["AliasHistory"]>(`${at}/history`, signal), [at]);
  if (!value) return error ? <Failure error={error} /> : <Loading />;
  return (
    <Table caption="Moves, the newest first" head={["When", "From", "To", "Who", "Why"]}>
      {value.moves.map((move) => (
        <tr><td>{when(move.at)}</td><td>{shown(move.from)}</td><td>{shown(move.to)}</td><td>{move.who}</td><td>{move.why || (move.restores ? `back to revision ${move.restores}` : "–")}</td></tr>
      ))}
    </Table>
  );
}

function NewAlias({ path, version, reload }: { path: string; version: number; reload: () => void }) {
  const [word, setWord] = useState("");
  const doing = useDoing();
  const made = (event: Event) => {
    event.preventDefault();
    void doing.run(async () => {
      await send("PUT", `${path}/aliases/${encodeURIComponent(word)}`, { version }, undefined, { "if-none-match": "*" });
      reload();
    });
  };
  return (
    <form class="row" onSubmit={made}>
      <Field label={`New alias for version ${version}`}>
        <input required placeholder="live" value={word} onInput={(event) => setWord(event.currentTarget.value)} />
      </Field>
      <button aria-busy={doing.busy}>Make it</button>
      <Failure error={doing.error} />
    </form>
  );
}
