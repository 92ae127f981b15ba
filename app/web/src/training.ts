/** One training as it happens: what is known of the job, the points of its curves, and the network while it learns. */

import { useEffect, useRef, useState } from "preact/hooks";

import { follow, get, type Schemas, type ServerEvent } from "./api";
import { type Column, type Weights } from "./network";

export type Job = Schemas["JobDetail"];
export type Trial = Schemas["Trial"];
export type Search = Schemas["SearchDetail"];
type Point = Pick<Job, "loss" | "validation_loss">;

export interface Network {
  columns: Column[];
  target: string | string[];
  labels: (string | boolean | number)[] | null;
  inputs: Weights["inputs"];
  scaler: Weights["target"];
}

export interface Training {
  job: Job | undefined;
  points: Map<number, Point>;
  trials: Map<number, Trial>;
  search: Search | undefined;
  network: Network | undefined;
  weights: Weights | undefined;
  isLost: boolean;
  error: unknown;
}

const MS_BETWEEN_PAINTS = 50;

/** Follow a job to its end; what is told often is drawn 20 times a second at most. */
export function useTraining(id: string): [Training, (job: Job) => void] {
  const [shown, show] = useState<Training>(nothing);
  const now = useRef(shown);
  const waiting = useRef(0);
  const tell = (news: Partial<Training>): void => {
    Object.assign(now.current, news);
    waiting.current ||= window.setTimeout(() => requestAnimationFrame(() => {
      waiting.current = 0;
      show({ ...now.current });
    }), MS_BETWEEN_PAINTS);
  };
  useEffect(() => {
    const ending = new AbortController();
    const failed = (error: unknown) => ending.signal.aborted || tell({ error });
    now.current = nothing();
    get<Job>(`jobs/${id}`, ending.signal).then((job) => {
      tell({ job: now.current.job ?? job });
      if (job.search) searched(now.current, job.search, tell);
      remember(now.current.points, job.history);
      const heard = (event: ServerEvent) => hear(now.current, event, tell);
      return follow(`jobs/${id}/events?weights=true`, ending.signal, heard, (isLost) => tell({ isLost }));
    }).catch(failed);
    return () => {
      ending.abort();
      clearTimeout(waiting.current);
      waiting.current = 0;
    };
  }, [id]);
  return [shown, (job) => tell({ job })];
}

const nothing = (): Training => ({ job: undefined, points: new Map(), trials: new Map(), search: undefined, network: undefined, weights: undefined, isLost: false, error: undefined });

function remember(points: Training["points"], history: Schemas["Curves"] | null | undefined): void {
  history?.epochs.forEach((epoch, place) => {
    points.set(epoch, { loss: history.loss[place] ?? null, validation_loss: history.validation_loss?.[place] ?? null });
  });
}

/** Take in how far a search is: the trials that are new, and which is the best. */
function searched(now: Training, search: Search, tell: (news: Partial<Training>) => void): void {
  search.trials?.forEach((trial) => now.trials.set(trial.number, trial));
  tell({ search });
}

/** Take in an event; gives whether it was the last. */
function hear(now: Training, { event, data }: ServerEvent, tell: (news: Partial<Training>) => void): boolean {
  if (event === "progress") {
    const told = data as Job & { epoch: number };
    now.points.set(told.epoch, told);
    if (now.job && told.epoch >= (now.job.epoch ?? 0)) {
      tell({ job: { ...now.job, ...told } });
    } else tell({});
  } else if (event === "search") {
    searched(now, data as Search, tell);
  } else if (event === "network") {
    tell({ network: data as Network });
  } else if (event === "weights" && now.network) {
    const { members } = data as Pick<Weights, "members">;
    tell({ weights: { inputs: now.network.inputs, members, target: now.network.scaler } });
  } else if ((data as Partial<Job>).job) tell({ job: data as Job });
  return ["succeeded", "failed", "cancelled"].includes(event);
}
