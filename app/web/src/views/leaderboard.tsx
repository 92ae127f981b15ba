/** The trials of a search, the best first. */

import { shown } from "../format";
import { Table } from "../parts";
import type { Trial } from "../training";
import { inWords, LARGER_IS_BETTER } from "./metrics";

const STATES = { complete: "✓ complete", pruned: "✂ given up", failed: "✗ failed" };

export function Leaderboard({ metric, trials, best }: { metric: string; trials: Trial[]; best: number | null }) {
  const sign = LARGER_IS_BETTER.test(metric) ? -1 : 1;
  const place = ({ value }: Trial) => (value === null ? Infinity : sign * value);
  const ordered = [...trials].sort((one, other) => (place(one) === place(other) ? one.number - other.number : place(one) - place(other)));
  return (
    <Table caption="Trials of the search, the best first" head={["Trial", inWords(metric), "State", "Epochs", "Settings"]}>
      {ordered.map((trial) => (
        <tr key={trial.number}>
          <td>{trial.number === best ? <strong>{trial.number}, the best</strong> : trial.number}</td>
          <td>{shown(trial.value)}</td>
          <td>{STATES[trial.state]}{trial.fault && <><br /><small>{trial.fault}</small></>}</td>
          <td>{shown(trial.epochs)}</td>
          <td>{settingsOf(trial)}</td>
        </tr>
      ))}
    </Table>
  );
}

function settingsOf({ number, settings, same_as: same }: Trial): string {
  if (number === 0) return "as without a search";
  const told = Object.entries(settings).map(([name, value]) => `${name.replaceAll("_", " ")} ${Array.isArray(value) && !value.length ? "none" : shown(value)}`);
  return `${told.join("; ")}${same == null ? "" : `; as trial ${same}`}`;
}
