/** Settings of a training: each that is left empty is chosen by the service. */

import type { ComponentChildren } from "preact";

import type { Schemas } from "../api";
import { Field } from "../parts";
import type { SetUp } from "../setup";
import type { Kinds } from "./table";

type Section = Record<string, unknown>;
type Training = Schemas["TrainingConfig"];

interface Setting {
  name: string;
  label: string;
  section?: "network" | "training";
  of?: string[];
  hint?: string;
  step?: string;
}

const ACTIVATIONS: NonNullable<Schemas["Architecture"]["activation"]>[] =
  ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "silu", "softplus", "exponential", "identity", "softmax"];
const OPTIMIZERS: NonNullable<Training["optimizer"]>[] =
  ["gradient_descent", "momentum", "nesterov", "rmsprop", "adam", "adamw", "levenberg_marquardt", "lbfgs"];
const TASKS: NonNullable<Schemas["TrainRequest"]["task"]>[] = ["regression", "classification", "multilabel"];
const KINDS: Schemas["Column"]["kind"][] = ["number", "integer", "boolean", "category", "date"];

const LAYERS = "hidden";
const FORM: Setting[] = [
  { section: "network", name: LAYERS, label: "Hidden layers", hint: "Units of each, as 8, 4; 0 for none" },
  { section: "network", name: "activation", label: "Activation", of: ACTIVATIONS },
  { section: "training", name: "optimizer", label: "Optimizer", of: OPTIMIZERS },
  { section: "training", name: "learning_rate", label: "Learning rate", step: "any" },
  { section: "training", name: "epochs", label: "Epochs", step: "1" },
  { section: "training", name: "seed", label: "Seed", step: "1", hint: "Same rows, settings and seed: same network" },
  { name: "task", label: "Task", of: TASKS },
];
const HAS_FIELD = [...FORM.map(({ name }) => name), "dataset", "name", "target", "preset", "kinds", "network", "training"];

/** `8, 4` are two layers; `0` is none, a linear model. */
const layersFrom = (text: string): number[] => (text.match(/\d+/g) ?? []).map(Number).filter((units) => units > 0);

const without = (value: unknown, keys: string[]): Section =>
  value && typeof value === "object" ? Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key))) : {};

export const isEmpty = (section: object): boolean => !Object.keys(section).length;

/** What a set-up holds beyond the fields of this form. */
function othersOf(setUp: SetUp): Section {
  const others = without(setUp, HAS_FIELD);
  for (const section of ["network", "training"] as const) {
    const rest = without(setUp[section], HAS_FIELD);
    if (!isEmpty(rest)) others[section] = rest;
  }
  return others;
}

/** The settings of the form, and those of the set-up that it has no fields for. */
export function settingsOf(form: FormData, setUp: SetUp): SetUp {
  const settings = form.has("others") ? othersOf(setUp) : {};
  for (const { section, name, of } of FORM) {
    const text = String(form.get(name)).trim();
    if (!text) continue;
    const place = (section ? (settings[section] ??= {}) : settings) as Section;
    place[name] = of ? text : name === LAYERS ? layersFrom(text) : Number(text);
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
  const others = othersOf(setUp);
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
          {FORM.map((setting) => (
            <Field label={setting.label} hint={setting.hint}>
              <Control {...setting} value={without(setting.section ? setUp[setting.section] : setUp, [])[setting.name]} />
            </Field>
          ))}
        </div>
        <Check name="paused">Begin paused, to go step by step</Check>
        {columns.length > 0 && (
          <fieldset>
            <legend>What the columns are</legend>
            <div class="fields">
              {columns.map((column) => (
                <Field key={column} label={column}>
                  <Choice of={KINDS} value={kinds[column]} empty="as understood" onChange={(kind) => state(column, kind)} />
                </Field>
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

/** A field of the form, which the browser keeps; a set-up says what it begins with. */
function Control({ name, of, step, value }: Setting & { value: unknown }) {
  if (of) return <Choice name={name} of={of} value={value} />;
  const defaultValue = Array.isArray(value) ? value.join(", ") || "0" : String(value ?? "");
  const shared = { name, placeholder: "automatic", defaultValue };
  return step ? <input type="number" min="0" step={step} {...shared} /> : <input pattern="[\d\s,;]*" title="Whole numbers with commas, as 8, 4" {...shared} />;
}

interface ChoiceProps {
  name?: string;
  of: string[];
  value: unknown;
  empty?: string;
  onChange?: (value: string) => void;
}

const Choice = ({ name, of, value, empty = "automatic", onChange }: ChoiceProps) => (
  <select name={name} onChange={(event) => onChange?.(event.currentTarget.value)}>
    <option value="">{empty}</option>
    {of.map((word) => <option value={word} selected={word === value}>{word.replaceAll("_", " ")}</option>)}
  </select>
);
