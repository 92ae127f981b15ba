/** What long lists have in common. */

import { shown } from "../format";

export const PAGE = 100;
const MOST_NAMES = 6;

export function Pages({ after, next, onAfter }: { after: string; next: string | null | undefined; onAfter: (after: string) => void }) {
  if (!after && !next) return null;
  return (
    <div class="row">
      {after && <button type="button" onClick={() => onAfter("")}>First page</button>}
      {next && <button type="button" onClick={() => onAfter(next)}>Next page</button>}
    </div>
  );
}

/** Some names, and how many more there are. */
export function brief(names: string | string[] | null): string {
  const all = [names ?? []].flat();
  return all.length > MOST_NAMES ? `${all.slice(0, MOST_NAMES).join(", ")} and ${shown(all.length - MOST_NAMES)} more` : all.join(", ");
}
