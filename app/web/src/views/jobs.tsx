/** All trainings, as they go. */

import "./manage.css";

import { useEffect, useState } from "preact/hooks";

import { get, send, type Schemas } from "../api";
import { duration, shown, when } from "../format";
import { link, useLoaded } from "../hooks";
import { Action, Card, Failure, Field, Loading, Table } from "../parts";

type Job = Schemas["JobDetail"];

const STATES = { queued: "◌ waiting", running: "▶ learning", succeeded: "✓ done", failed: "✗ failed", cancelled: "■ cancelled" };
const LOOK_MS = 2000;

export default function View() {
  const [state, setState] = useState("");
  const { value, error, reload } = useLoaded((signal) => get<Schemas["JobList"]>(`jobs${state && `?state=${state}`}`, signal), [state]);
  // The next look begins after the answer to this one: a service that is slower than that is heard out.
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.hidden) return;
      clearInterval(timer);
      reload();
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, [value, error, reload]);
  return (
    <>
      <h1>Jobs</h1>
      <Card title="Trainings, the newest first" tools={
        <Field label="State">
          <select value={state} onChange={(event) => setState(event.currentTarget.value)}>
            <option value="">all</option>
            {Object.entries(STATES).map(([name, words]) => <option value={name}>{words}</option>)}
          </select>
        </Field>
      }>
        <Failure error={error} />
        {!value && !error && <Loading />}
        {value?.jobs.length === 0 && <p>There are none. <a href={link()}>Begin one</a>.</p>}
        {value && value.jobs.length > 0 && (
          <Table caption="Trainings" head={["Model", "State", "Epochs", "Loss", "Begun", ""]}>
            {value.jobs.map((job) => <Line key={job.job} job={job} reload={reload} />)}
          </Table>
        )}
      </Card>
    </>
  );
}

function Line({ job, reload }: { job: Job; reload: () => void }) {
  const isOver = job.ended !== null;
  return (
    <tr>
      <td>{job.version === null ? job.model : <a href={link("model", job.model, job.version)}>{job.model}/{job.version}</a>}</td>
      <td>
        <a href={link("job", job.job)}>{job.paused && !isOver ? "‖ paused" : STATES[job.status]}</a>
        {job.error && <><br /><small>{job.error}</small></>}
      </td>
      <td>
        {!isOver && job.epochs !== null && <><progress aria-label={`Epochs of ${job.model}`} value={job.epoch ?? 0} max={job.epochs} /><br /></>}
        {shown(job.epoch)}{job.epochs !== null && ` of ${shown(job.epochs)}`}
        {!isOver && job.eta_seconds !== null && <small>, {duration(job.eta_seconds)} left</small>}
      </td>
      <td>{shown(job.loss)}</td>
      <td class="when">{when(job.created)}</td>
      <td>{!isOver && <Action class="small" aria-label={`Cancel ${job.model}`} work={() => send("DELETE", `jobs/${job.job}`).then(reload)}>Cancel</Action>}</td>
    </tr>
  );
}
