/** Look inside: each unit's arithmetic for the row that is asked, and one step of learning, followed in its order. */

import "./inside.css";

import { useMemo, useState } from "preact/hooks";

import { post, versionPath, type Schemas } from "../api";
import { Diagram, inputNames, NetworkChooser } from "../diagram";
import { allDigits, shown } from "../format";
import { useLoaded } from "../hooks";
import { layersOf, valueOf, type Row, type Weights } from "../network";
import { Card, Failure, Field } from "../parts";
import { Surface } from "../surface";

type Model = Schemas["OneVersion"];
type Trace = Schemas["TraceAnswer"];
type Way = ReturnType<typeof layersOf>;

interface Picked {
  layer: number;
  unit: number;
}

const FORMULAS: Record<string, string> = {
  sigmoid: "1 / (1 + e⁻ᶻ)",
  tanh: "tanh z",
  relu: "z if z > 0, else 0",
  leaky_relu: "z if z > 0, else 0.01 z",
  elu: "z if z > 0, else eᶻ − 1",
  silu: "z / (1 + e⁻ᶻ)",
  softplus: "ln(1 + eᶻ)",
  exponential: "eᶻ",
  identity: "z",
  softmax: "eᶻ over the sum of all eᶻ of the layer",
};
const MOST_TERMS = 24;

export function Inside({ model, weights, row }: { model: Model; weights: Weights; row: Row }) {
  const [member, setMember] = useState(0);
  const [picked, pick] = useState<Picked>({ layer: 0, unit: 0 });
  const unit = useMemo(() => ({ ...picked, member }), [picked, member]);
  const way = layersOf(weights, row, member);
  const targets = model.labels && model.labels.length > 2 ? model.labels.map(String) : [model.target].flat();
  return (
    <Card title="Look inside" tools={<NetworkChooser of={weights} value={member} onValue={setMember} />}>
      <p class="muted">Choose a unit to see its arithmetic for the row above{weights.members.length > 1 && "; the answer is the mean of all networks"}.</p>
      <div class="columns">
        <Diagram
          weights={weights}
          columns={weights.inputs.map(({ column }) => column)}
          targets={targets}
          values={way}
          picked={picked}
          onPick={(layer, unit) => pick({ layer, unit })}
          member={member}
        />
        <div class="stack within">
          <Arithmetic weights={weights} row={row} member={member} way={way} picked={picked} model={model} />
          <h3>Its a, over two columns</h3>
          <Surface weights={weights} columns={model.columns} row={row} labels={null} targets={["a"]} unit={unit} />
        </div>
      </div>
      <Step model={model} weights={weights} row={row} member={member} picked={picked} />
    </Card>
  );
}

/** What a unit computes, written out. */
function Arithmetic({ weights, row, member, way, picked, model }: { weights: Weights; row: Row; member: number; way: Way; picked: Picked; model: Model }) {
  const layer = weights.members[member]?.layers[picked.layer];
  const values = way.layers[picked.layer];
  if (!layer || !values) return null;
  const before = picked.layer ? (way.layers[picked.layer - 1]?.a ?? []) : way.inputs;
  const terms = before.map((value, from) => ({ value, weight: layer.W[from]?.[picked.unit] ?? 0 }));
  const bias = layer.b?.[picked.unit];
  const isLast = picked.layer === way.layers.length - 1;
  const z = values.z[picked.unit] ?? 0;
  const a = values.a[picked.unit] ?? 0;
  const target = weights.target;
  return (
    <div class="stack arithmetic">
      <h3>{isLast ? "The output" : `Unit ${picked.unit + 1} of hidden layer ${picked.layer + 1}`}</h3>
      {picked.layer === 0 && <Inputs weights={weights} row={row} way={way} member={member} />}
      <p class="number">
        z = {terms.slice(0, MOST_TERMS).map(({ value, weight }, index) => <>{index > 0 && " + "}{signed(value)} · {signed(weight)}</>)}
        {terms.length > MOST_TERMS && <> + {terms.length - MOST_TERMS} more products</>}
        {bias !== undefined && <> + {signed(bias)}</>} = <strong>{shown(z)}</strong>
      </p>
      <p class="number">
        a = {FORMULAS[layer.activation] ?? layer.activation} = <strong>{shown(a)}</strong>
        {isLast && (weights.temperature ?? 1) !== 1 && `, of z / ${shown(weights.temperature)}, which makes probabilities come true`}
      </p>
      {isLast && target && picked.unit < target.scale.length && (
        <p class="number">
          {[model.target].flat()[picked.unit]} = {signed(a)} · {shown(target.scale[picked.unit])} + {signed(target.center[picked.unit] ?? 0)} ={" "}
          <strong>{shown(a * (target.scale[picked.unit] ?? 1) + (target.center[picked.unit] ?? 0))}</strong>
          {weights.members.length > 1 && " (this network alone)"}
        </p>
      )}
      <details>
        <summary>All digits</summary>
        <p class="number">z = {allDigits(z)}<br />a = {allDigits(a)}</p>
      </details>
    </div>
  );
}

const signed = (value: number): string => (value < 0 ? `(${shown(value)})` : shown(value));

/** How each input is made of a column. */
function Inputs({ weights, row, way, member }: { weights: Weights; row: Row; way: Way; member: number }) {
  const names = inputNames(weights, member);
  const others = names.flatMap((name, index) => (weights.inputs[index]?.made === "scaled" ? [] : [`${name}: ${shown(way.inputs[index])}`]));
  return (
    <ul class="number plain">
      {weights.inputs.slice(0, MOST_TERMS).map((input, index) => input.made === "scaled" && (
        <li>
          {input.column}: ({shown(valueOf(row, input.column) ?? input.fill)} − {signed(input.center ?? 0)}) / {shown(input.scale)}
          {input.clip && <> = x, x / √(1 + (x / {shown(input.clip)})²)</>} = {shown(way.inputs[index])}
        </li>
      ))}
      {others.length > 0 && <li>{others.slice(0, MOST_TERMS).join("; ")}</li>}
    </ul>
  );
}

const STAGES = ["Forward", "Error", "Delta", "Update"];

/** One step of gradient descent on one row whose true answer is known, stage by stage. */
function Step({ model, weights, row, member, picked }: { model: Model; weights: Weights; row: Row; member: number; picked: Picked }) {
  const [truth, setTruth] = useState("");
  const [y, follow] = useState<string | string[]>();
  const [stage, setStage] = useState(0);
  const targets = [model.target].flat();
  const path = `${versionPath(model.model, model.version)}/trace`;
  const { value: trace, error } = useLoaded(async (signal) => (y === undefined ? undefined : post<Trace>(path, { row, y }, signal)), [path, row, y]);
  const heard = (event: { currentTarget: { value: string } }) => setTruth(event.currentTarget.value);
  const ask = (event: Event) => {
    event.preventDefault();
    follow(targets.length > 1 ? truth.split(",").map((each) => each.trim()) : truth);
    setStage(0);
  };
  return (
    <details>
      <summary>Follow one step of learning</summary>
      <div class="stack">
        <form class="row" onSubmit={ask}>
          <Field label={`The true ${targets.join(", ")} of this row`}>
            {model.labels ? (
              <select required value={truth} onChange={heard}>
                {["", ...model.labels.map(String)].map((label) => <option>{label}</option>)}
              </select>
            ) : <input required value={truth} onInput={heard} />}
          </Field>
          <button>Follow it</button>
        </form>
        <Failure error={error} />
        {trace && (
          <>
            <div class="row" role="group" aria-label="Stages of a step, in their order">
              {STAGES.map((name, index) => (
                <button type="button" class="small" aria-pressed={stage === index} onClick={() => setStage(index)}>{index + 1}. {name}</button>
              ))}
              <button type="button" class="small primary" disabled={stage === STAGES.length - 1} onClick={() => setStage(stage + 1)}>Next</button>
            </div>
            <div aria-live="polite"><Stage stage={stage} trace={trace} weights={weights} member={member} picked={picked} rate={model.training.learning_rate ?? 0.1} /></div>
          </>
        )}
      </div>
    </details>
  );
}

function Stage({ stage, trace, weights, member, picked, rate }: { stage: number; trace: Trace; weights: Weights; member: number; picked: Picked; rate: number }) {
  const way = trace.members[member];
  const layer = way?.layers[picked.layer];
  if (!way || !layer) return null;
  const own = weights.members[member]?.layers[picked.layer];
  const outputs = way.layers.at(-1)?.a ?? [];
  switch (stage) {
    case 0:
      return (
        <ol class="number">
          <li>inputs: {shown(way.inputs)}</li>
          {way.layers.map((each) => <li>z = {shown(each.z)}; a = {each.activation}(z) = {shown(each.a)}</li>)}
        </ol>
      );
    case 1:
      return (
        <p class="number">
          {trace.y?.map((y, unit) => <>truth − answer = {signed(y)} − {signed(outputs[unit] ?? 0)} = <strong>{shown(y - (outputs[unit] ?? 0))}</strong><br /></>)}
          loss = {shown(way.loss)}
        </p>
      );
    case 2:
      return (
        <>
          <p class="muted">Delta is how the loss changes with each z; it goes back from the last layer to the first.</p>
          <ol class="number" reversed>
            {way.layers.map((each, index) => ({ each, number: index + 1 })).reverse().map(({ each }) => <li>delta = {shown(each.delta)}</li>)}
          </ol>
        </>
      );
    default:
      return (
        <ul class="number plain">
          {(layer.slope_W ?? []).slice(0, MOST_TERMS).map((slopes, from) => <Moved name={`w${from + 1}`} value={own?.W[from]?.[picked.unit]} slope={slopes[picked.unit]} rate={rate} />)}
          {layer.slope_b && <Moved name="b" value={own?.b?.[picked.unit]} slope={layer.slope_b[picked.unit]} rate={rate} />}
          <li class="muted">of the unit that is chosen, by plain gradient descent at rate {shown(rate)}</li>
        </ul>
      );
  }
}

const Moved = ({ name, value = 0, slope = 0, rate }: { name: string; value?: number | undefined; slope?: number | undefined; rate: number }) => (
  <li>{name}: {allDigits(value)} − {shown(rate)} · {signed(slope)} = <strong>{allDigits(value - rate * slope)}</strong></li>
);
