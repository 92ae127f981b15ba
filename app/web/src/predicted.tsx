/** Answers beside the truth: points around a diagonal, or for classes how many rows of which were taken for which. */

import "./pictures.css";

import { get, versionPath, type Schemas } from "./api";
import { shown } from "./format";
import { useLoaded } from "./hooks";
import { Failure, Loading, Table } from "./parts";

type Scatter = Schemas["Predicted"];
type Confusion = Schemas["Confusion"];

export function Predicted({ name, version }: { name: string; version: number | string }) {
  const path = `${versionPath(name, version)}/predicted.json`;
  const { value, error } = useLoaded((signal) => get<Scatter | Confusion>(path, signal), [path]);
  if (error) return <Failure error={error} />;
  if (!value) return <Loading />;
  return (
    <figure class="stack">
      {"counts" in value ? <Counts {...value} /> : <Points {...value} />}
      <figcaption><small>{value.note || (value.unseen ? "Of rows that were not learnt." : "Of rows that were learnt.")}</small></figcaption>
    </figure>
  );
}

function Points({ alt, target, predicted, true: truth }: Scatter) {
  const lowest = Math.min(...predicted, ...truth);
  const span = Math.max(...predicted, ...truth) - lowest || 1;
  const at = (value: number) => 3 + (94 * (value - lowest)) / span;
  return (
    <div class="plot">
      <span class="up"><span>{shown(lowest)}</span><span>{target}, predicted</span><span>{shown(lowest + span)}</span></span>
      <svg viewBox="0 0 100 100" role="img" aria-label={alt}>
        <line class="truth" x1="3" y1="97" x2="97" y2="3" />
        {predicted.map((value, row) => (
          <circle cx={at(truth[row] ?? 0)} cy={100 - at(value)} r="1.2"><title>{`${shown(value)}, true ${shown(truth[row])}`}</title></circle>
        ))}
      </svg>
      <span class="between"><span>{shown(lowest)}</span><span>true</span><span>{shown(lowest + span)}</span></span>
    </div>
  );
}

function Counts({ alt, labels, counts }: Confusion) {
  return (
    <Table caption={alt} head={["True", ...labels.map((label) => `taken for ${label}`)]}>
      {counts.map((row, truth) => (
        <tr>
          <th scope="row">{labels[truth]}</th>
          {row.map((count) => (
            <td class="count" style={{ "--share": `${(100 * count) / (row.reduce((sum, one) => sum + one, 0) || 1)}%` }}>{shown(count)}</td>
          ))}
        </tr>
      ))}
    </Table>
  );
}
