import "./watch.css";

import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { post, Problem, send } from "../api";
import { Curve } from "../curve";
import { Diagram, NetworkChooser } from "../diagram";
import { duration, short, shown } from "../format";
import { link } from "../hooks";
import { isKnown, layersOf, startRow, type Weights } from "../network";
import { Action, Card, Failure, Figures, Loading } from "../parts";
import { Predicted } from "../predicted";
import { Surface } from "../surface";
import { useTraining, type Job, type Network, type Training } from "../training";
import { Groups } from "./groups";
import { Leaderboard } from "./leaderboard";
import { inWords } from "./metrics";

const STEPS = [1, 10, 100];
const AT_ONCE_MS = 2000;
const LEAVING_MS = 1000;
const SPOKEN_MS = 5000;
const TOUCHES = ["pointerdown", "keydown", "wheel"];

export default function View({ words }: { words: string[] }) {
  const id = encodeURIComponent(words[0] ?? "");
  const [training, tell] = useTraining(id);
  const { job, error } = training;
  useLeaving(job);
  if (!job) {
    return (
      <>
        <h1>A training</h1>
        {error ? <Failure error={error} /> : <Loading />}
        <p><a href={link("jobs")}>All trainings</a></p>
      </>
    );
  }
  return (
    <>
      <h1>Learning {job.model} <span class="chip">{job.paused && !job.ended ? "paused" : job.partial ? "stopped" : job.status}</span></h1>
      <Failure error={error} />
      {training.isLost && <p class="note">The connection was lost. It is made again by itself, and nothing is missed.</p>}
      <Spoken training={training} job={job} />
      <Progress job={job} tell={tell} />
      <Searching training={training} />
      {job.ended && job.groups !== null && <Groups job={job} />}
      <Pictures training={training} job={job} />
    </>
  );
}

/** Go to the model once it is there, unless whoever reads here is busy with this page. */
function useLeaving(job: Job | undefined): void {
  const opened = useRef(performance.now());
  const isTouched = useRef(false);
  useEffect(() => {
    const touched = () => void (isTouched.current = true);
    TOUCHES.forEach((name) => addEventListener(name, touched, { passive: true }));
    return () => TOUCHES.forEach((name) => removeEventListener(name, touched));
  }, []);
  const target = modelOf(job);
  useEffect(() => {
    if (!target) return;
    const isQuick = performance.now() - opened.current < AT_ONCE_MS;
    const timer = setTimeout(() => isTouched.current || location.replace(target), isQuick ? 0 : LEAVING_MS);
    return () => clearTimeout(timer);
  }, [target]);
}

/** What there is a number of: of many models, each group is learnt as one. */
const unit = (job: Job) => (job.groups === null ? "Epoch" : "Group");

const modelOf = (job: Job | undefined): string | undefined =>
  job?.ended && job.version !== null ? link("model", job.model, job.version) : undefined;

function Progress({ job, tell }: { job: Job; tell: (job: Job) => void }) {
  const left = (job.epochs ?? 0) - (job.epoch ?? 0);
  const rate = left > 0 && job.eta_seconds ? left / job.eta_seconds : null;
  return (
    <Card title="Progress" tools={job.ended ? null : <Controls job={job} tell={tell} />}>
      {job.ended ? <Ended job={job} /> : <progress aria-label={`${unit(job)}s done`} value={job.epoch ?? 0} max={job.epochs ?? 1} />}
      {job.waits_for && <p class="note">{job.waits_for}</p>}
      <Figures
        of={[
          [unit(job), job.epoch === null ? stage(job) : `${shown(job.epoch)} of ${shown(job.epochs)}`],
          ["Loss", shown(job.loss)],
          ["Validation loss", shown(job.validation_loss)],
          [`${unit(job)}s a second`, rate ? short(rate) : "–"],
          ["Time left", job.ended || job.paused || job.eta_seconds === null ? "–" : `at most ${duration(job.eta_seconds)}`],
        ]}
      />
    </Card>
  );
}

function stage(job: Job): string {
  if (job.status === "queued") return "waiting for its turn";
  if (job.waits_for) return "waiting";
  return job.ended ? "–" : "getting ready";
}

function Controls({ job, tell }: { job: Job; tell: (job: Job) => void }) {
  const path = `jobs/${encodeURIComponent(job.job)}`;
  const steer = (route: string) => async () => tell(await post<Job>(`${path}/${route}`));
  const end = (query: string) => () => send<unknown>("DELETE", path + query);
  return (
    <>
      {job.paused ? <Action class="primary" work={steer("resume")}>Resume</Action> : <Action work={steer("pause")}>Pause</Action>}
      <span class="row steps" role="group" aria-label="Steps of a paused training">
        {STEPS.map((epochs) => (
          <Action disabled={!job.paused} work={steer(`step?epochs=${epochs}`)} aria-label={`Step ${epochs} epoch${epochs > 1 ? "s" : ""}`}>
            {epochs > 1 ? epochs : "Step 1"}
          </Action>
        ))}
      </span>
      <Action work={end("?keep_best=true")}>Stop and keep the best</Action>
      <Action class="danger" work={end("")}>Cancel</Action>
    </>
  );
}

function Ended({ job }: { job: Job }) {
  const target = modelOf(job);
  const again = <p><a class="button" href={link()}>Start another training</a></p>;
  if (target) return <p><a class="button go" href={target}>Ask the model</a> {job.partial && "It is the best that it had come to when it was stopped."}</p>;
  if (job.status === "succeeded") return again;
  if (job.status === "failed") {
    return (
      <>
        <Failure error={new Problem(0, "The training failed", job.error ?? "It was lost by the service. The same table can be learnt again.")} />
        {again}
      </>
    );
  }
  return <><p class="note">It was cancelled, and {job.groups === null ? "nothing of it was kept" : "the groups that were done are kept"}.</p>{again}</>;
}

/** How it goes, for a screen reader: seldom, and in a sentence. */
function Spoken({ training, job }: { training: Training; job: Job }) {
  const [sentence, say] = useState("");
  const { isLost } = training;
  const wasLost = useRef(false);
  const latest = useRef(job);
  latest.current = job;
  const now = () => {
    const { epoch, epochs, loss, status, paused, ended } = latest.current;
    const state = ended ? `The training is over: ${status}.` : isLost ? "The connection was lost." : paused ? "Paused." : "";
    say(`${state} ${epoch === null ? stage(latest.current) : `${unit(latest.current)} ${shown(epoch)} of ${shown(epochs)}, loss ${shown(loss)}.`}`);
  };
  useEffect(() => {
    if (wasLost.current && !isLost) say("The connection is there again; nothing was missed.");
    else now();
    wasLost.current = isLost;
    const timer = setInterval(now, SPOKEN_MS);
    return () => clearInterval(timer);
  }, [isLost, job.paused, job.ended]);
  return <p class="unseen" role="status">{sentence}</p>;
}

function Searching({ training: { search, trials } }: { training: Training }) {
  if (!search) return null;
  const best = search.best ? search.best.number : null;
  const most = search.most === null ? ` in ${duration(search.budget_seconds ?? 0)}` : ` of ${shown(search.most)}`;
  return (
    <Card title="Search">
      <Figures of={[["Trials", `${shown(search.done)}${most}`], [`Best ${inWords(search.metric)}`, shown(search.best?.value)]]} />
      <Leaderboard metric={search.metric} trials={[...trials.values()]} best={best} />
    </Card>
  );
}

function Pictures({ training, job }: { training: Training; job: Job }) {
  const { network, weights } = training;
  const isShown = network && weights && isKnown(weights);
  const lines = useMemo(() => linesOf(training), [training]);
  return (
    <div class="watch">
      <Card title="Loss" class={isShown || job.version !== null ? "" : "wide"}>
        <Curve lines={lines} />
      </Card>
      {isShown ? (
        <Learning network={network} weights={weights} />
      ) : (
        !job.ended && <p class="muted">The network and its answers are shown here as they change, where it is small and takes long enough.</p>
      )}
      {job.ended && job.version !== null && (
        <Card title="Predicted against true">
          <Predicted name={job.model} version={job.version} />
        </Card>
      )}
    </div>
  );
}

function linesOf({ points }: Training) {
  const known = [...points].sort(([one], [other]) => one - other);
  const epochs = known.map(([epoch]) => epoch);
  const validation = known.map(([, point]) => point.validation_loss);
  const training = { name: "Training", epochs, values: known.map(([, point]) => point.loss) };
  return validation.some((value) => value !== null) ? [training, { name: "Validation", epochs, values: validation, dashed: true }] : [training];
}

function Learning({ network, weights }: { network: Network; weights: Weights }) {
  const [member, setMember] = useState(0);
  const row = useMemo(() => startRow(network.columns), [network]);
  const targets = [network.target].flat();
  return (
    <>
      <Card title="The network" tools={<NetworkChooser of={weights} value={member} onValue={setMember} />}>
        <Diagram weights={weights} columns={network.columns.map((column) => column.name)} targets={network.labels && network.labels.length > 2 ? network.labels.map(String) : targets} values={layersOf(weights, row, member)} member={member} />
      </Card>
      <Card title="What it answers">
        <Surface weights={weights} columns={network.columns} row={row} labels={network.labels} targets={targets} />
      </Card>
    </>
  );
}
