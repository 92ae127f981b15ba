/** The columns of a table as the service understands them. */

import { share, shown } from "../format";
import { Card, Failure, Loading, Table } from "../parts";
import "./columns.css";
import { warnings, type Summary, type Understood } from "./table";

const MOST = 100;
const SHOWN = 20;

interface Props {
  table: Understood | undefined;
  isStale: boolean;
  error: unknown;
  targets: string[];
}

export function ColumnsCard({ table, isStale, error, targets }: Props) {
  return (
    <Card title="Columns">
      <Failure error={error} />
      {!error && (table ? (
        <div class={isStale ? "stack stale" : "stack"} aria-busy={isStale}>
          <Columns of={table} targets={targets} />
          <Warnings of={table} targets={targets} />
        </div>
      ) : <Loading />)}
    </Card>
  );
}

export function Columns({ of, targets }: { of: Understood; targets: string[] }) {
  const more = of.columns.length - MOST;
  return (
    <div class="stack described">
      <p class="muted">{shown(of.rows)} {of.rows === 1 ? "row" : "rows"}, {shown(of.columns.length)} {of.columns.length === 1 ? "column" : "columns"}, as the service understands them.</p>
      <Table caption="Columns of the table" head={["Name", "Kind", "Range", "Gaps", "Spread"]}>
        {of.columns.slice(0, MOST).map((column) => (
          <tr>
            <th scope="row" class="name">{column.name} {targets.includes(column.name) && <span class="chip">target</span>}</th>
            <td>{column.kind}</td>
            <td>{rangeOf(column)}</td>
            <td>{column.missing_share ? share(column.missing_share) : "none"}</td>
            <td><Spread of={column} /></td>
          </tr>
        ))}
      </Table>
      {more > 0 && <p class="muted">and {shown(more)} more</p>}
    </div>
  );
}

function Warnings({ of, targets }: { of: Understood; targets: string[] }) {
  const told = warnings(of, targets);
  return told.length ? <ul class="note warnings">{told.slice(0, SHOWN).map((words) => <li>{words}</li>)}</ul> : null;
}

function rangeOf({ lowest, highest, level_count, kind }: Summary): string {
  if (lowest != null) return lowest === highest ? shown(lowest) : `${shown(lowest)} – ${shown(highest)}`;
  if (level_count != null) return `${shown(level_count)} ${level_count === 1 ? "level" : "levels"}`;
  return kind === "category" ? "very many levels" : "–";
}

/** A histogram of numbers, or how often the most frequent levels are. */
function Spread({ of: { histogram, frequent } }: { of: Summary }) {
  const levels = frequent?.slice(0, SHOWN);
  const counts = histogram?.counts ?? levels?.map(([, count]) => count) ?? [];
  const most = Math.max(...counts);
  if (!(most > 0)) return <>–</>;
  const at = counts.indexOf(most);
  const words = histogram ? `between ${shown(histogram.edges[at])} and ${shown(histogram.edges[at + 1])}` : `of ${shown(levels?.[at]?.[0])}`;
  const width = histogram ? 5 : Math.min(14, 100 / counts.length);
  return (
    <svg class="spread" viewBox="0 0 100 24" role="img" aria-label={`most rows, ${shown(most)}, ${words}`}>
      {counts.map((count, index) => {
        const height = count && 2 + (22 * count) / most;
        return <rect x={index * width} y={24 - height} width={width - 1} height={height} />;
      })}
    </svg>
  );
}
