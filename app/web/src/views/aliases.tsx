/** Words that point to versions: moved, looked back on, undone. */

import { useState } from "preact/hooks";

import { get, post, Problem, send, type Schemas } from "../api";
import { shown, when } from "../format";
import { useDoing, useLoaded } from "../hooks";
import { Action, Failure, Field, Loading, Table } from "../parts";
import { Sure } from "./sure";
import type { Known } from "./versions";

type Alias = Schemas["AliasAnswer"];
type Work = () => Promise<unknown>;

const MOVED_MEANWHILE = 412;

export function Aliases({ path, version, known, reload }: { path: string; version: number; known: Known; reload: () => void }) {
  const { value, error, reload: again } = useLoaded((signal) => get<Schemas["AliasList"]>(`${path}/aliases`, signal), [path]);
  const [gone, setGone] = useState("");
  const at = (alias: string) => `${path}/aliases/${encodeURIComponent(alias)}`;
  /** Do something to the aliases, and show them as they are then. */
  const change = async (work: Work, deletes = "") => {
    try {
      await work();
    } catch (problem) {
      if (!(problem instanceof Problem && problem.status === MOVED_MEANWHILE)) throw problem;
      again();
      throw new Problem(problem.status, "Somebody else moved it meanwhile", "It is shown as it is now. Look whether you still want to change it.");
    }
    setGone(deletes);
    again();
    reload();
  };
  return (
    <div class="stack">
      <Failure error={error} />
      {!value && !error && <Loading />}
      {value?.aliases.map((alias) => <One key={alias.alias} at={at(alias.alias)} alias={alias} versions={known.versions} change={change} />)}
      <div role="status">
        {gone && <p>The alias {gone} is deleted. <Action class="small" work={() => change(() => post(`${at(gone)}/rollback`))}>Undo</Action></p>}
      </div>
      <Make version={version} work={(word) => change(() => send("PUT", at(word), { version }, undefined, { "if-none-match": "*" }))} />
    </div>
  );
}

function One({ at, alias, versions, change }: { at: string; alias: Alias; versions: number[]; change: (work: Work, deletes?: string) => Promise<void> }) {
  const [wanted, want] = useState<number>();
  const [why, setWhy] = useState("");
  const [isOpen, open] = useState(false);
  const to = wanted ?? alias.version;
  const unchanged = { "if-match": `"${alias.revision}"` };
  const moved = async () => {
    await change(() => send("PUT", at, { version: to, why }, undefined, unchanged));
    want(undefined);
    setWhy("");
  };
  const back = (body: object) => change(() => send("POST", `${at}/rollback`, body, undefined, unchanged));
  return (
    <section class="stack" aria-label={`Alias ${alias.alias}`}>
      <p><strong>{alias.alias}</strong> points to version {alias.version}</p>
      <div class="row">
        <Field label={`Version for ${alias.alias}`}>
          <select value={to} onChange={(event) => want(Number(event.currentTarget.value))}>
            {versions.toReversed().map((each) => <option value={each}>{each}</option>)}
          </select>
        </Field>
        <Field label="Why (for the history)">
          <input value={why} maxLength={200} onInput={(event) => setWhy(event.currentTarget.value)} />
        </Field>
        <Action work={moved} disabled={to === alias.version}>Move</Action>
        <Action work={() => back({})}>Undo the last move</Action>
        <Sure what={`Delete alias ${alias.alias}`} work={() => change(() => send("DELETE", at, undefined, undefined, unchanged), alias.alias)} />
      </div>
      <details onToggle={(event) => open(event.currentTarget.open)}>
        <summary>History of {alias.alias}</summary>
        {isOpen && <History at={at} alias={alias} back={back} />}
      </details>
    </section>
  );
}

function History({ at, alias, back }: { at: string; alias: Alias; back: (body: object) => Promise<unknown> }) {
  const { value, error } = useLoaded((signal) => get<Schemas["AliasHistory"]>(`${at}/history`, signal), [at, alias.revision]);
  if (!value) return error ? <Failure error={error} /> : <Loading />;
  return (
    <Table caption={`Moves of ${alias.alias}, the newest first`} head={["When", "From", "To", "Who", "Why", ""]}>
      {value.moves.map(({ revision, at: time, from, to, restores, who, why }) => (
        <tr key={revision}>
          <td>{when(time)}</td>
          <td>{from ?? "new"}</td>
          <td>{to ?? "deleted"}</td>
          <td>{who}</td>
          <td>{why || (restores ? "gone back" : "–")}</td>
          <td>{to && to !== alias.version && <Action class="small" work={() => back({ to: revision })}>Back to {shown(to)}</Action>}</td>
        </tr>
      ))}
    </Table>
  );
}

function Make({ version, work }: { version: number; work: (word: string) => Promise<unknown> }) {
  const [word, setWord] = useState("");
  const doing = useDoing();
  const made = (event: Event) => {
    event.preventDefault();
    void doing.run(async () => {
      await work(word);
      setWord("");
    });
  };
  return (
    <form class="row" onSubmit={made}>
      <Field label={`New alias for version ${version}`}>
        <input required placeholder="live" value={word} onInput={(event) => setWord(event.currentTarget.value)} />
      </Field>
      <button disabled={doing.busy} aria-busy={doing.busy}>Make it</button>
      <Failure error={doing.error} />
    </form>
  );
}
