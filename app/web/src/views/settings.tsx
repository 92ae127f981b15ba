/** Settings of a training: each that is left empty is chosen by the service. */

import type { ComponentChildren } from "preact";

import type { Schemas } from "../api";
import { Field } from "../parts";
import type { SetUp } from "../setup";
import type { Kinds } from "./table";

type Section = Record<string, unknown>;

const ACTIVATIONS: NonNullable<Schemas["Architecture"]["activation"]>[] =
  ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "silu", "softplus", "exponential", "identity", "softmax"];
const OPTIMIZERS: NonNullable<Schemas["TrainingConfig"]["optimizer"]>[] =
  ["gradient_descent", "momentum", "nesterov", "rmsprop", "adam", "adamw", "levenberg_marquardt", "lbfgs"];
const TASKS: NonNullable<Schemas["TrainRequest"]["task"]>[] = ["regression", "classification", "multilabel"];
const KINDS = ["number", "integer", "boolean", "category", "date"];

/** How the text of a field becomes a setting, by section and key. */
const NETWORK: Record<string, (text: string) => unknown> = { hidden: layersFrom, activation: String };
const TRAINING: Record<string, (text: string) => unknown> = { optimizer: String, learning_rate: Number, epochs: Number, seed: Number };

/** `8, 4` are two layers; `0` is none, a linear model. */
function layersFrom(text: string): number[] {
  const layers = (text.match(/\d+/g) ?? []).map(Number);
  return layers.length === 1 && layers[0] === 0 ? [] : layers;
}

const sectionOf = (value: unknown): Section => (value && typeof value === "object" ? { ...value } : {});

const without = (value: unknown, keys: string[]): Section => Object.fromEntries(Object.entries(sectionOf(value)).filter(([key]) => !keys.includes(key)));

export const isEmpty = (section: object): boolean => !Object.keys(section).length;

/** What a set-up holds beyond the fields of this form. */
function othersOf(setUp: SetUp): Section {
  const others = without(setUp, ["dataset", "name", "target", "task", "preset", "kinds", "network", "training"]);
  const network = without(setUp.network, Object.keys(NETWORK));
  const training = without(setUp.training, Object.keys(TRAINING));
  return { ...others, ...(isEmpty(network) ? {} : { network }), ...(isEmpty(training) ? {} : { training }) };
}

/** The settings of the form, and those of the set-up that it has no fields for. */
export function settingsOf(form: FormData, setUp: SetUp): SetUp {
  const settings: Section = form.has("others") ? othersOf(setUp) : {};
  const task = form.get("task");
  if (task) settings.task = task;
  for (const [name, keys] of [["network", NETWORK], ["training", TRAINING]] as const) {
    const section = sectionOf(settings[name]);
    for (const [key, read] of Object.entries(keys)) {
      const text = String(form.get(key) ?? "").trim();
      if (text) section[key] = read(text);
    }
    if (!isEmpty(section)) settings[name] = section;
  }
  return settings;
}

interface Props {
  setUp: SetUp;
  preset: boolean;
  onPreset: (on: boolean) => void;
  columns: string[];
  kinds: Kinds;
  onKinds: (kinds: Kinds) => void;
}

export function Settings({ setUp, preset, onPreset, columns, kinds, onKinds }: Props) {
  const network = sectionOf(setUp.network);
  const training = sectionOf(setUp.training);
  const others = othersOf(setUp);
  const hidden = Array.isArray(network.hidden) ? network.hidden.join(", ") || "0" : "";
  const state = (column: string, kind: string) => onKinds({ ...without(kinds, [column]), ...(kind && { [column]: kind }) } as Kinds);
  return (
    // A closed <details> would hide what the browser finds wrong in it.
    <details class="settings" onInvalidCapture={(event) => (event.currentTarget.open = true)}>
      <summary>Settings</summary>
      <div class="stack">
        <p class="muted">What you leave empty is chosen for you.</p>
        <Check checked={preset} onInput={(event) => onPreset(event.currentTarget.checked)}>
          The tutorial's own settings: 3 sigmoid units, no bias, 1,000 steps at rate 1
        </Check>
        <div class="fields">
          <Field label="Hidden layers" hint="Units of each, as 8, 4; 0 for none">
            <input name="hidden" inputMode="numeric" placeholder="automatic" pattern="[\d\s,;]*" title="Whole numbers with commas, as 8, 4" defaultValue={hidden} />
          </Field>
          <Choice name="activation" label="Activation" of={ACTIVATIONS} value={network.activation} />
          <Choice name="optimizer" label="Optimizer" of={OPTIMIZERS} value={training.optimizer} />
          <Amount name="learning_rate" label="Learning rate" value={training.learning_rate} step="any" />
          <Amount name="epochs" label="Epochs" value={training.epochs} min="1" />
          <Amount name="seed" label="Seed" value={training.seed} hint="Same rows, settings and seed: same network" />
          <Choice name="task" label="Task" of={TASKS} value={setUp.task} />
        </div>
        <Check name="paused">Begin paused, to go step by step</Check>
        {columns.length > 0 && (
          <fieldset>
            <legend>What the columns are</legend>
            <div class="fields">
              {columns.map((column) => (
                <Choice key={column} label={column} of={KINDS} value={kinds[column]} empty="as understood" onChange={(kind) => state(column, kind)} />
              ))}
            </div>
          </fieldset>
        )}
        {!isEmpty(others) && (
          <>
            <Check name="others" defaultChecked>Also these settings of the link</Check>
            <pre tabIndex={0} aria-label="Other settings of the link">{JSON.stringify(others, null, 1)}</pre>
          </>
        )}
      </div>
    </details>
  );
}

interface CheckProps {
  name?: string;
  checked?: boolean;
  defaultChecked?: boolean;
  onInput?: (event: { currentTarget: HTMLInputElement }) => void;
  children: ComponentChildren;
}

const Check = ({ children, ...rest }: CheckProps) => (
  <label class="check">
    <input type="checkbox" {...rest} />
    <span>{children}</span>
  </label>
);

function Amount({ name, label, value, hint, min = "0", step = "1" }: { name: string; label: string; value: unknown; hint?: string; min?: string; step?: string }) {
  return (
    <Field label={label} hint={hint}>
      <input type="number" name={name} min={min} step={step} placeholder="automatic" defaultValue={value == null ? "" : String(value)} />
    </Field>
  );
}

interface ChoiceProps {
  name?: string;
  label: string;
  of: string[];
  value: unknown;
  empty?: string;
  onChange?: (value: string) => void;
}

function Choice({ name, label, of, value, empty = "automatic", onChange }: ChoiceProps) {
  return (
    <Field label={label}>
      <select name={name} onChange={(event) => onChange?.(event.currentTarget.value)}>
        <option value="">{empty}</option>
        {of.map((word) => <option value={word} selected={word === value}>{word.replaceAll("_", " ")}</option>)}
      </select>
    </Field>
  );
}
