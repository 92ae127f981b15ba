import "./manage.css";

import { useState } from "preact/hooks";

import { Action } from "../parts";

/** A button that asks once more before it does what cannot be undone. It becomes "Keep": a second press is harmless. */
export function Sure({ what, work }: { what: string; work: () => Promise<unknown> }) {
  const [isAsked, ask] = useState(false);
  const done = async () => {
    await work();
    document.getElementById("main")?.focus({ preventScroll: true }); // the button is gone with what it deleted
  };
  return (
    <span class="row sure">
      <button type="button" class="small" aria-expanded={isAsked} aria-label={isAsked ? undefined : what} onClick={() => ask(!isAsked)}>
        {isAsked ? "Keep" : "Delete"}
      </button>
      {isAsked && <Action class="small danger" work={done}>{what}, for good</Action>}
    </span>
  );
}
