/** Small parts that every view is made of. */

import type { ButtonHTMLAttributes, ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";

import { Problem, signIn } from "./api";
import { useDoing } from "./hooks";

type Children = { children?: ComponentChildren };

/** A section with a heading; `tools` stand at its right. */
export function Card({ title, tools, children, ...rest }: Children & { title: string; tools?: ComponentChildren; class?: string; id?: string }) {
  const id = useId();
  return (
    <section {...rest} class={`card ${rest.class ?? ""}`} aria-labelledby={id}>
      <header class="between">
        <h2 id={id}>{title}</h2>
        {tools && <div class="row">{tools}</div>}
      </header>
      {children}
    </section>
  );
}

/** What went wrong, in words, with what to do and an id to quote. */
export function Failure({ error }: { error: unknown }) {
  if (!error) return null;
  const problem = error instanceof Problem ? error : new Problem(0, "Something went wrong in this page", String(error));
  if (problem.status === 401) return <SignIn />;
  return (
    <div class="failure" role="alert">
      <strong>{problem.title}</strong>
      {problem.detail && problem.detail !== problem.title && <p>{problem.detail}</p>}
      {problem.faults.length > 0 && (
        <ul>
          {problem.faults.map((fault) => (
            <li>
              {[fault.row !== undefined && `row ${fault.row}`, fault.column ?? fault.field].filter(Boolean).join(", ")}
              {fault.got !== undefined && <> has <code>{typeof fault.got === "string" ? fault.got : JSON.stringify(fault.got)}</code>;</>} expected: {fault.expected}
            </li>
          ))}
        </ul>
      )}
      {problem.faults.some((fault) => fault.row !== undefined) && <small>The first row is row 0.</small>}
      {problem.requestId && <small>Request {problem.requestId}</small>}
    </div>
  );
}

function SignIn() {
  const [key, setKey] = useState("");
  const keep = (event: Event) => {
    event.preventDefault();
    signIn(key);
    location.reload();
  };
  return (
    <form class="failure row" onSubmit={keep}>
      <Field label="This service asks for an API key">
        <input type="password" autocomplete="off" value={key} onInput={(event) => setKey(event.currentTarget.value)} />
      </Field>
      <button class="primary">Sign in</button>
    </form>
  );
}

/** A label above what it is the label of. */
export function Field({ label, hint, children }: Children & { label: ComponentChildren; hint?: ComponentChildren }) {
  return (
    <label class="field">
      <span>{label}</span>
      {children}
      {hint && <small>{hint}</small>}
    </label>
  );
}

/** A button that does something that takes time, and says below itself what went wrong. */
export function Action({ work, children, ...rest }: Children & { work: () => Promise<unknown> } & Omit<ButtonHTMLAttributes<HTMLButtonElement>, "onClick">) {
  const doing = useDoing();
  return (
    <>
      <button type="button" {...rest} disabled={rest.disabled || doing.busy} aria-busy={doing.busy} onClick={() => doing.run(work)}>
        {children}
      </button>
      <Failure error={doing.error} />
    </>
  );
}

/** Names and their values. */
export function Figures({ of }: { of: [ComponentChildren, ComponentChildren][] }) {
  return (
    <dl class="figures">
      {of.map(([name, value]) => (
        <div>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A table that scrolls by itself where it is too wide. */
export function Table({ caption, head, children }: Children & { caption: string; head: ComponentChildren[] }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {head.map((cell) => (
              <th scope="col">{cell}</th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** Text to take along, with a button that copies it. */
export function Snippet({ title, text }: { title: string; text: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <figure class="snippet">
      <figcaption class="between">
        <span>{title}</span>
        <Action class="small" work={copy}>{copied ? "Copied" : "Copy"}</Action>
      </figcaption>
      <pre tabIndex={0} aria-label={title}><code>{text}</code></pre>
    </figure>
  );
}

export const Loading = () => <p class="muted" role="status">Loading …</p>;
